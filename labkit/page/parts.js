// Pieces of HTML that several parts of the page are made of.

const ESCAPED = {'&': '&amp;', '<': '&lt;', '"': '&quot;'};

export const escaped = text => String(text).replace(/[&<"]/g, c => ESCAPED[c]);

export const element = (tag, properties) => Object.assign(document.createElement(tag), properties);

/** A canvas for a picture. */
export const canvas = name => `<canvas class="${name}" width="28" height="28"></canvas>`;

/** Radio buttons side by side, for one of `texts`; their name is lab-`group`, their values count from 0. */
export const choice = (group, legend, texts) =>
    `<fieldset class="lab-choice"><legend class="lab-hidden">${legend}</legend>${texts.map((text, k) =>
        `<label><input type="radio" name="lab-${group}" value="${k}" ${k ? '' : 'checked'}><span>${escaped(text)}</span>
        </label>`).join('')}</fieldset>`;

/** One stop of the Tab key for all buttons in `box`: arrow keys, Home and End lead on within. */
export function roving(box) {
    const buttons = () => [...box.querySelectorAll('button')];
    box.addEventListener('focusin', ({target}) =>
        buttons().forEach(button => { button.tabIndex = button === target ? 0 : -1; }));
    box.addEventListener('keydown', event => {
        const all = buttons(), at = all.indexOf(event.target);
        const across = getComputedStyle(box).gridTemplateColumns.split(' ').length; // 1, where it is no grid
        const to = {ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - across, ArrowDown: at + across,
            Home: 0, End: all.length - 1}[event.key];
        if (!all[to]) return;
        event.preventDefault();
        all[to].focus();
    });
}

/** Hold `target` for the pointer of `event`, if it is still there. */
export function capture(target, event) {
    try {
        target.setPointerCapture(event.pointerId);
    } catch {
        /* the pointer is gone already */
    }
}

/** Offer `file` to the reader as `name`. */
export function download(blob, name) {
    const link = element('a', {href: URL.createObjectURL(blob), download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
