// Walks: from one garment to another, without an aim, and to eight new ones.

import {percent} from './atlas.js';
import {EVERY} from './vectors.js';

/** The panel in `place`; a function that shows the state. */
export function walkPanel(view, place) {
    const {lab} = view, calm = matchMedia('(prefers-reduced-motion: reduce)');
    const garments = EVERY.map(k => `<option value="${k}">${k + 1}</option>`).join('');
    place.innerHTML = `<h4>From one garment to another</h4>
        <div class="lab-line"><label>garment <select>${garments}</select></label><label>goes to
            <select>${garments}</select></label><input type="range" class="way" min="0" max="1" step="0.01" value="0"
            aria-label="how far"><output class="percent"></output></div>
        <p class="lab-about">On the great circle between the two vectors, as they now are.</p>
        <h4>A walk without an aim</h4>
        <div class="lab-line"><button type="button" class="lab-play">Let them walk</button></div>
        <p class="lab-about lab-calm">The chosen garments wander, each its own way. Escape stops them.${calm.matches ?
            ' This device asks for little motion; it begins only when you press the button.' : ''}</p>
        <h4>Somewhere else</h4>
        <div class="lab-line"><button type="button" class="lab-renew">Eight new garments</button></div>`;
    const [from, to] = place.querySelectorAll('select'), way = place.querySelector('.way');
    const play = place.querySelector('.lab-play');
    to.value = '1';
    for (const select of [from, to]) select.addEventListener('change', () => view.refresh());
    way.addEventListener('input', () => view.act(() => {
        const [start, end, t] = [from, to, way].map(control => Number(control.value));
        if (start === end) return 'Choose two garments that are not the same.';
        lab.walk(start, end, t);
        return `Garment ${start + 1} is ${percent(t)} of the way to garment ${end + 1}.`;
    }));
    place.querySelector('.lab-renew').addEventListener('click', () => view.act(() => {
        lab.renew();
        return 'Eight new garments. Undo brings the others back.';
    }));

    let frame = 0, before = 0; // of the walk that plays
    const stop = () => {
        if (!frame) return;
        cancelAnimationFrame(frame);
        frame = 0;
        lab.release();
        play.textContent = 'Let them walk';
        view.act(() => '');
    };
    const step = now => {
        frame = requestAnimationFrame(step);
        if (view.drawing) return; // the next frame: each step is seen
        lab.drift(Math.min(0.1, (now - before) / 1000));
        before = now;
        view.refresh();
    };
    play.addEventListener('click', () => {
        if (frame) return stop();
        lab.release();
        play.textContent = 'Stop';
        view.say('They walk; Escape stops them.');
        before = performance.now();
        frame = requestAnimationFrame(step);
    });
    for (const kind of ['keydown', 'pointerdown']) // whoever does something else has seen enough
        view.root.addEventListener(kind, event => {
            if (event.key === 'Escape' || event.target !== play && event.key !== 'Tab') stop();
        }, true);
    calm.addEventListener('change', stop);
    document.addEventListener('visibilitychange', stop);
    return () => {
        const path = lab.path, on = path?.start === Number(from.value) && path.end === Number(to.value);
        if (!on || !lab.held) way.value = on ? path.t : 0;
        place.querySelector('.percent').textContent = percent(on ? path.t : 0);
    };
}
