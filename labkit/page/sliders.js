// A row of the list of sliders, and a line of what one does.

import {signed} from './lab.js';

const UNSIGNED = ['image change', 'class flips', 'breakage'];

/** One effect in a line: its name, where it lies among random directions, its size, and what that means. */
export function effectLine({name, mean, unit, score, low, high, special}) {
    const line = document.createElement('div'),
        at = 60 + 7 * Math.min(8, Math.max(-8, score)),
        show = x => signed(x).replace(/^\+/, '');
    line.className = 'lab-effect';
    line.innerHTML = `<span></span><svg viewBox="0 0 120 14" aria-hidden="true"><path d="M0 7H120"/><rect x="46.3"
        y="2" width="27.4" height="10" rx="2"/>
        <circle cx="${at.toFixed(1)}" cy="7" r="4" class="${special ? 'special' : ''}"/></svg><b></b><i></i>`;
    const [title, value, random] = ['span', 'b', 'i'].map(tag => line.querySelector(tag));
    title.textContent = name;
    value.textContent =
        `${UNSIGNED.includes(name) ? show(mean) : signed(mean)} ${unit}`.trim();
    random.textContent = `random: ${show(low)} to ${show(high)}`;
    return line;
}

/** The row of `dim`: {row, range, number}. */
export function slider(view, dim) {
    const {lab} = view,
        row = document.createElement('li'),
        title = lab.title(dim),
        range = lab.data.range;
    row.className = 'lab-row';
    row.innerHTML = `<span class="name"></span><input type="range" min="${-range}" max="${range}" step="0.0078125">
        <input type="number" min="${-range}" max="${range}" step="0.1"><button type="button" tabindex="-1"
            class="lab-icon again">↺</button>
        <button type="button" tabindex="-1" class="lab-icon away">×</button>`;
    const [slide, number] = row.querySelectorAll('input'),
        [again, away] = row.querySelectorAll('button');
    row.querySelector('.name').textContent = title;
    row.querySelector('.name').title = lab.direction(dim)?.words || title;
    slide.setAttribute('aria-label', title);
    slide.setAttribute('aria-describedby', 'lab-keys');
    number.setAttribute('aria-label', `${title}, as a number`);
    for (const [button, text] of [
        [again, `${title} as it was`],
        [away, `take the slider of ${title} away`],
    ]) {
        button.setAttribute('aria-label', text);
        button.title = text;
    }
    const act = edit => {
        view.focus = dim;
        view.act(edit);
    };
    const move = value => act(() => lab.move([[dim, value]], view.held));
    const remove = () => {
        const next = row.nextElementSibling || row.previousElementSibling;
        act(() => lab.remove(dim));
        (next?.querySelector('input') || view.part('search')).focus();
    };
    const reset = () => act(() => lab.reset(dim));
    slide.addEventListener('input', () => move(Number(slide.value)));
    slide.addEventListener('focus', () => {
        view.focus = dim;
        view.showEffects();
    });
    slide.addEventListener('dblclick', reset);
    slide.addEventListener('keydown', event => {
        const fine = event.shiftKey ? 0.01 : 0.1,
            step = {
                ArrowLeft: -fine,
                ArrowDown: -fine,
                ArrowRight: fine,
                ArrowUp: fine,
                PageUp: 1,
                PageDown: -1,
            }[event.key];
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (step) move(Math.round((lab.shown(dim).value + step) * 100) / 100);
        else if (event.key === 'Backspace') reset();
        else if (event.key === 'Delete') remove();
        else return;
        event.preventDefault();
    });
    number.addEventListener('change', () => {
        number.dataset.done = 'yes';
        move(number.value === '' ? NaN : Number(number.value));
        delete number.dataset.done;
    });
    again.addEventListener('click', reset);
    away.addEventListener('click', remove);
    return {row, range: slide, number};
}
