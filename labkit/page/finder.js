// The field above the sliders that finds another: a dimension by number, or a direction by what it does.

import {search} from './atlas.js';
import {element} from './parts.js';
import {say} from './words.js';

/** Its HTML. */
export const finder = () => `<div class="lab-finder"><input type="text" class="lab-search" role="combobox"
    aria-expanded="false" aria-controls="lab-found" aria-autocomplete="list" autocomplete="off" spellcheck="false"
    placeholder="${say('sliders.ask')}">
    <ul class="lab-found" id="lab-found" role="listbox" tabindex="-1" aria-label="${say('sliders.offered')}"
        hidden></ul></div>`;

/** Bring `finder`, in `place`, to life: `take(dim)` is called with what was found, or without. */
export function connectFinder(lab, place, take) {
    const field = place.querySelector('.lab-search'), list = place.querySelector('.lab-found');
    field.setAttribute('aria-label', say('sliders.ask_name', {last: lab.size - 1}));
    let found = [], at = -1; // what is offered, and which of it is marked
    const mark = to => {
        at = to;
        [...list.children].forEach((item, k) => item.setAttribute('aria-selected', String(k === at)));
        if (at < 0) return field.removeAttribute('aria-activedescendant');
        field.setAttribute('aria-activedescendant', list.children[at].id);
        list.children[at].scrollIntoView({block: 'nearest'});
    };
    const show = on => {
        list.hidden = !on;
        field.setAttribute('aria-expanded', String(on));
        mark(-1);
    };
    const choose = option => {
        take(option?.dim);
        if (!option) return;
        field.value = '';
        show(false);
    };
    const open = () => {
        found = search(lab, field.value);
        list.replaceChildren(...found.map((option, k) => {
            const item = element('li', {id: `lab-found-${k}`});
            item.setAttribute('role', 'option');
            item.append(element('b', {textContent: option.title}), element('span', {textContent: option.words}));
            item.addEventListener('pointerdown', event => event.preventDefault()); // the field keeps the focus
            item.addEventListener('click', () => choose(option));
            return item;
        }));
        show(found.length > 0);
    };
    field.addEventListener('input', open);
    field.addEventListener('focus', open);
    field.addEventListener('blur', () => show(false));
    field.addEventListener('keydown', event => {
        const by = {ArrowDown: 1, ArrowUp: -1}[event.key];
        if (event.key === 'Escape') show(false);
        else if (event.key === 'Enter') choose(found[Math.max(0, at)]);
        else if (by) {
            if (list.hidden) open();
            if (found.length) mark((Math.max(at, by > 0 ? -1 : 0) + by + found.length) % found.length);
        } else return;
        event.preventDefault();
    });
}
