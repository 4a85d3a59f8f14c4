// The panel of sliders: what they do, the list of them, and what the one that moves was measured to do.

import {effects, percent} from './atlas.js';
import {connectFinder, finder} from './finder.js';
import {choice, element} from './parts.js';
import {clipped, fixed, signed} from './vectors.js';
import {listed, say} from './words.js';

const MODES = ['shift', 'set'];

/** The panel in `place`; {refresh}, a function that shows the state. */
export function slidersPanel(view, place) {
    const {lab} = view, rows = new Map(); // of each dimension: {row, slide, number}
    const mode = choice('mode', say('sliders.mode'), MODES.map(name => say(`sliders.${name}`)));
    place.innerHTML = `<div class="lab-line">${mode}${finder()}</div>
        <ul class="lab-rows"></ul><div class="lab-effects"></div>
        <p class="lab-keys" id="lab-keys">${say('sliders.keys')}</p>`;
    const list = place.querySelector('.lab-rows'), modes = place.querySelectorAll('[name=lab-mode]');
    modes.forEach((radio, k) => radio.addEventListener('change', () => view.act(() => {
        lab.mode = MODES[k];
        lab.release();
    })));
    connectFinder(lab, place, dim => {
        view.act(() => {
            if (dim === undefined) throw Error(say('sliders.unknown'));
            return say(lab.add(dim) ? 'sliders.added' : 'sliders.there', {title: lab.title(dim)});
        });
        const {row} = rows.get(dim) || {};
        if (!row) return;
        row.classList.remove('new');
        row.getBoundingClientRect(); // so that the light begins anew
        row.classList.add('new');
        list.scrollTop = row.offsetTop - list.offsetTop - 8;
    });
    const refresh = () => {
        modes.forEach((radio, k) => { radio.checked = MODES[k] === lab.mode; });
        for (const [dim, {row}] of rows) {
            if (lab.rows.includes(dim)) continue;
            row.remove();
            rows.delete(dim);
        }
        lab.rows.forEach((dim, k) => {
            if (!rows.has(dim)) rows.set(dim, makeRow(view, place, dim));
            const {row} = rows.get(dim);
            if (list.children[k] !== row) list.insertBefore(row, list.children[k] || null);
            showRow(lab, dim, rows.get(dim));
        });
        showEffects(view, place.querySelector('.lab-effects'));
    };
    return {refresh};
}

/** The row of `dim`: {row, slide, number}. */
function makeRow(view, place, dim) {
    const {lab} = view, {range} = lab.data, title = lab.title(dim), row = element('li', {className: 'lab-row'});
    row.innerHTML = `<span class="name"></span><input type="range" min="${-range}" max="${range}" step="0.0078125">
        <input type="number" min="${-range}" max="${range}" step="0.1"><button type="button" tabindex="-1"
            class="lab-icon again">↺</button><button type="button" tabindex="-1" class="lab-icon away">×</button>`;
    const [name, slide, number, again, away] = row.children;
    Object.assign(name, {textContent: title, title: lab.direction(dim)?.words || title});
    slide.setAttribute('aria-label', title);
    for (const [key, control] of Object.entries({number, again, away}))
        control.setAttribute('aria-label', say(`sliders.${key}`, {title}));
    for (const button of [again, away]) button.title = button.getAttribute('aria-label');
    slide.setAttribute('aria-describedby', 'lab-keys');
    const move = value => view.act(() => lab.move([dim, value]));
    const reset = () => view.act(() => lab.reset(dim));
    const remove = () => {
        const next = row.nextElementSibling || row.previousElementSibling;
        view.act(() => lab.remove(dim));
        (next?.querySelector('input') || place.querySelector('.lab-search')).focus();
    };
    slide.addEventListener('input', () => move(Number(slide.value)));
    slide.addEventListener('dblclick', reset);
    slide.addEventListener('focus', () => {
        lab.moved = dim;
        view.refresh();
    });
    slide.addEventListener('keydown', event => {
        const fine = event.shiftKey ? 0.01 : 0.1;
        const step = {ArrowLeft: -fine, ArrowDown: -fine, ArrowRight: fine, ArrowUp: fine, PageUp: 1, PageDown: -1
            }[event.key];
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (step) move(Math.round((lab.shown(dim).value + step) * 100) / 100);
        else if (event.key === 'Backspace') reset();
        else if (event.key === 'Delete') remove();
        else return;
        event.preventDefault();
    });
    number.addEventListener('change', () => {
        move(number.value === '' ? NaN : Number(number.value));
        number.value = fixed(lab.shown(dim).value);
    });
    again.addEventListener('click', reset);
    away.addEventListener('click', remove);
    return {row, slide, number};
}

function showRow(lab, dim, {row, slide, number}) {
    const {value, mixed} = lab.shown(dim), active = document.activeElement;
    if (active !== slide || !lab.held) slide.value = value; // a browser moves the one that is held
    if (active !== number) number.value = fixed(value); // nor does what is typed change
    slide.style.setProperty('--at', `${50 + 50 * clipped(value / lab.data.range, -1, 1)}%`);
    slide.setAttribute('aria-valuetext', mixed ? say('sliders.mixed', {x: fixed(value)}) : fixed(value));
    row.classList.toggle('mixed', mixed);
    row.classList.toggle('moved', lab.mode === 'shift' && (value !== 0 || mixed));
    row.classList.toggle('focus', dim === lab.focus);
}

/** What the dimension that moves does, beside random directions. */
function showEffects(view, place) {
    const {lab, host} = view, dim = lab.focus, key = `${lab.index} ${dim} ${!lab.network.effects}`;
    if (place.dataset.of === key) return;
    place.dataset.of = key;
    place.replaceChildren();
    if (dim === undefined) return;
    const found = effects(lab, dim), more = found.filter(one => one.special).map(one => one.title);
    const {purity} = lab.direction(dim) || {}, count = lab.network.effects?.vectors.toLocaleString('en');
    const texts = [!found.length ? say('effects.unmeasured') : more.length ?
        say('effects.more', {count, names: listed(more)}) : say('effects.no_more', {count})];
    if (purity !== undefined) texts.push(say('effects.purity', {x: percent(purity)}));
    const head = element('p', {textContent: say('effects.between') + texts.join(say('sentences'))});
    head.prepend(element('b', {textContent: lab.title(dim)}));
    place.append(head, ...found.map(line));
    if (lab.network.effects || !host.measure) return;
    const button = element('button', {type: 'button', textContent: say('effects.measure')});
    button.addEventListener('click', () => view.wait(async () => {
        button.disabled = true;
        view.say(say('effects.measuring'));
        await host.measure(lab.network).finally(() => { button.disabled = false; });
        view.refresh();
        return say('effects.measured');
    }));
    place.append(button);
}

/** One effect: its name, where it lies among random directions, its size, and what that means. */
function line({title: name, mean, unit, score, low, high, special, signless}) {
    const at = 60 + 7 * clipped(score, -8, 8), plain = x => signed(x).replace(/^\+/, '');
    const part = element('div', {className: 'lab-effect'});
    part.innerHTML = `<span></span><svg viewBox="0 0 120 14" aria-hidden="true"><path d="M0 7H120"/><rect x="46.3"
        y="2" width="27.4" height="10" rx="2"/><circle cx="${at.toFixed(1)}" cy="7" r="4"
        class="${special ? 'special' : ''}"/></svg><b></b><i></i>`;
    const [title, , value, random] = part.children;
    title.textContent = name;
    value.textContent = `${signless ? plain(mean) : signed(mean)} ${unit}`.trim();
    random.textContent = say('effects.random', {low: plain(low), high: plain(high)});
    return part;
}
