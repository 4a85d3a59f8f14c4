// More like this: variants around the first chosen garment, and the choice of one of them.

import {canvas, roving} from './parts.js';
import {PIXELS, levels, paint} from './pictures.js';
import {near, normals, same} from './vectors.js';
import {say} from './words.js';

const COUNT = 12;

/** The part of `panel` in its place: {refresh, rest}, functions that show the state, and that follow the garment when
 *  nothing moves. It draws when asked, and while the panel is open. */
export function makeLike(view, panel) {
    const {lab} = view, place = panel.querySelector('.lab-like');
    place.innerHTML = `<h4></h4>
        <div class="lab-line"><button type="button" class="lab-vary"></button><label>${say('like.near')} <input
            type="range" class="lab-far" min="0.1" max="1" step="0.05" value="0.4"
            aria-label="${say('like.how_far')}"> ${say('like.far')}</label></div>
        <div class="lab-variants" role="toolbar" aria-label="${say('like.variants')}" hidden>${[...Array(COUNT).keys()]
            .map(k => `<button type="button" tabindex="${k ? -1 : 0}" aria-label="${
                say('like.variant', {k: k + 1, all: COUNT})}">${canvas('')}</button>`).join('')}</div>
        <p class="lab-about">${say('like.about')}</p>`;
    const [title, vary, far, box] = ['h4', '.lab-vary', '.lab-far', '.lab-variants'].map(s => place.querySelector(s));
    const buttons = [...box.children];
    roving(box);
    let noise = null, shown = null, drawing = false; // what the variants are mixed with; {by, z, each} as drawn
    const wanted = () => {
        const z = lab.vector(lab.first).slice(), s = Number(far.value), d = lab.size;
        return {by: lab.network, z, s, noise,
            each: buttons.map((_, k) => near(z, noise.subarray(k * d, (k + 1) * d), s))};
    };
    const stale = () => noise && !panel.hidden && !(shown?.by === lab.network && shown.noise === noise &&
        shown.s === Number(far.value) && same(shown.z, lab.vector(lab.first)));
    const draw = async () => {
        if (drawing) return; // it goes on until nothing is stale
        drawing = true;
        try {
            while (stale()) {
                if (noise.length !== COUNT * lab.size) noise = normals(COUNT * lab.size);
                const next = wanted(), generator = await view.host.generatorOf(next.by);
                const images = await generator.sample(Float32Array.from(next.each.flatMap(z => [...z])));
                buttons.forEach((button, k) =>
                    paint(button.firstChild, levels(images.subarray(PIXELS * k, PIXELS * (k + 1)))));
                shown = next;
                box.hidden = false;
            }
        } catch (fault) {
            view.say(say('start.undrawn', {fault: fault.message}), true);
        } finally {
            drawing = false;
        }
    };
    vary.addEventListener('click', () => {
        noise = normals(COUNT * lab.size);
        refresh();
        draw();
    });
    far.addEventListener('input', draw);
    panel.addEventListener('open', draw);
    buttons.forEach((button, k) => button.addEventListener('click', () => view.act(() => {
        const [row] = lab.changing(), z = lab.z.slice();
        if (shown.by !== lab.network) return say('like.drawing');
        z.set(shown.each[k], row * lab.size);
        lab.take({z});
        return say('like.taken', {k: row + 1});
    })));
    const refresh = () => {
        title.textContent = say('like.title', {k: lab.first + 1});
        vary.textContent = say(noise ? 'like.others' : 'like.draw', {count: COUNT});
    };
    return {refresh, rest: draw};
}
