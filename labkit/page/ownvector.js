// A vector of the reader's own: pasted, or from a file, for the chosen garments; and theirs to copy.

import {LARGEST, fitting, readVectors, written} from './numbers.js';
import {listed, say} from './words.js';

const named = rows => say(rows.length > 1 ? 'stage.some' : 'stage.one',
    {which: listed(rows.map(row => row + 1), 'stage.and')});

/** The part of a panel in `place`; a function that takes a file. */
export function vectorPanel(view, place) {
    const {lab} = view;
    place.innerHTML = `<h4>${say('vector.title')}</h4>
        <textarea class="lab-numbers" rows="2" spellcheck="false" autocomplete="off"
            aria-label="${say('vector.numbers')}" placeholder="${say('vector.paste')}"></textarea>
        <div class="lab-line"><button type="button" class="lab-take">${say('vector.take')}</button><label
            class="lab-file">${say('vector.file')}<input type="file" class="lab-vector"
            accept=".npy,.csv,.txt,.json"></label><button type="button"
            class="lab-copy-numbers">${say('vector.copy')}</button></div>
        <p class="lab-about">${say('vector.about')}</p>`;
    const part = name => place.querySelector(`.lab-${name}`), field = part('numbers');
    const put = bytes => view.act(() => {
        const free = lab.changing(), rows = fitting(readVectors(bytes), lab.size, free.length);
        const places = free.slice(0, rows.length);
        const [base, z] = [lab.base.slice(), lab.z.slice()];
        rows.forEach((row, k) => [base, z].forEach(of => of.set(row, places[k] * lab.size)));
        lab.take({base, z});
        return say('vector.placed', {which: named(places)});
    });
    const take = async file => put(new Uint8Array(await file.slice(0, LARGEST + 1).arrayBuffer()));
    part('take').addEventListener('click', () => put(new TextEncoder().encode(field.value)));
    part('vector').addEventListener('change', event => {
        if (event.target.files[0]) take(event.target.files[0]);
        event.target.value = '';
    });
    part('copy-numbers').addEventListener('click', async () => {
        field.value = written(lab.chosen.map(row => lab.vector(row)));
        const copied = say('vector.copied', {which: named(lab.chosen)});
        try {
            await navigator.clipboard.writeText(field.value);
            view.say(copied);
        } catch {
            field.select();
            view.say(document.execCommand('copy') ? copied : say('vector.copy_it'));
        }
    });
    return take;
}
