// The pad: two dimensions or directions at once.

import {capture, element} from './parts.js';
import {clipped, fixed} from './vectors.js';
import {say} from './words.js';

const KEYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};

/** The panel in `place`; {refresh}, a function that shows the state. */
export function padPanel(view, place) {
    const {lab} = view, {range} = lab.data;
    place.innerHTML = `<p class="lab-about">${say('pad.about')}</p>
        <div class="lab-pad-frame"><label class="up">${say('pad.up')} <select></select></label>
        <div class="lab-pad" tabindex="0" role="application" aria-roledescription="${say('pad.name')}"><i></i></div>
        <label class="across">${say('pad.right')} <select></select></label></div>`;
    const pad = place.querySelector('.lab-pad'), dot = pad.firstChild, [up, across] = place.querySelectorAll('select');
    const selects = [across, up];
    up.setAttribute('aria-label', say('pad.up'));
    across.setAttribute('aria-label', say('pad.right'));
    let dims = lab.rows.slice(0, 2); // right, up
    const at = () => dims.map(dim => clipped(lab.shown(dim).value, -range, range));
    const move = (x, y) => view.act(() => lab.move([dims[0], x], ...dims[0] === dims[1] ? [] : [[dims[1], y]]));
    const follow = ({clientX, clientY}) => {
        const box = pad.getBoundingClientRect();
        move(((clientX - box.left) / box.width * 2 - 1) * range, (1 - (clientY - box.top) / box.height * 2) * range);
    };
    pad.addEventListener('pointerdown', event => {
        if (event.button) return;
        lab.hold();
        capture(pad, event);
        follow(event);
    });
    pad.addEventListener('pointermove', event => {
        if (pad.hasPointerCapture(event.pointerId)) follow(event);
    });
    pad.addEventListener('keydown', event => {
        const step = event.shiftKey ? 0.01 : 0.1, by = KEYS[event.key];
        if (!by) return;
        event.preventDefault();
        move(...at().map((value, k) => Math.round((value + step * by[k]) * 100) / 100));
    });
    selects.forEach((select, k) => select.addEventListener('change', () => {
        dims[k] = /^\d+$/.test(select.value) ? Number(select.value) : select.value;
        view.refresh();
    }));
    const refresh = () => {
        const spare = [...lab.rows, ...lab.data.lab_dims], without = all => all.filter(dim => !lab.rows.includes(dim));
        dims = [0, 1].map(k => lab.knows(dims[k]) ? dims[k] : spare[k % spare.length]);
        selects.forEach((select, k) => offer(select, String(dims[k]), [
            [say('pad.with_slider'), lab.rows],
            [say('pad.directions'), without(lab.network.directions.map(one => one.name))],
            [say('pad.dimensions'), without([...Array(lab.size).keys()])],
        ], lab));
        const [x, y] = at();
        dot.style.left = `${50 + 50 * x / range}%`;
        dot.style.top = `${50 - 50 * y / range}%`;
        const [right, above] = dims.map(dim => lab.title(dim));
        pad.setAttribute('aria-label', say('pad.at', {right, x: fixed(x), up: above, y: fixed(y)}));
    };
    return {refresh};
}

/** Show `value` in `select`, which offers `groups`, [[label, dims], ...]. */
function offer(select, value, groups, lab) {
    const text = JSON.stringify(groups);
    if (select.dataset.shown !== text)
        select.replaceChildren(...groups.map(([label, dims]) => {
            const group = element('optgroup', {label});
            group.append(...dims.map(dim => new Option(lab.title(dim), dim)));
            return group;
        }));
    select.dataset.shown = text;
    select.value = value;
}
