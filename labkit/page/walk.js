// Walks: from one garment to another, without an aim, and to eight new ones.

import {percent} from './atlas.js';
import {EVERY} from './vectors.js';
import {say} from './words.js';

/** The panel in `place`; {refresh}, a function that shows the state. */
export function walkPanel(view, place) {
    const {lab} = view, calm = matchMedia('(prefers-reduced-motion: reduce)');
    const garments = EVERY.map(k => `<option value="${k}">${k + 1}</option>`).join('');
    place.innerHTML = `<h4>${say('walk.title')}</h4>
        <div class="lab-line"><label>${say('walk.from')} <select>${garments}</select></label><label>${say('walk.to')}
            <select>${garments}</select></label><input type="range" class="way" min="0" max="1" step="0.01" value="0"
            aria-label="${say('walk.way')}"><output class="percent"></output></div>
        <p class="lab-about">${say('walk.about')}</p>
        <div class="lab-like"></div>
        <h4>${say('walk.aimless')}</h4>
        <div class="lab-line"><button type="button" class="lab-play">${say('walk.play')}</button></div>
        <p class="lab-about lab-calm">${
            [say('walk.playing_about'), ...calm.matches ? [say('walk.calm')] : []].join(say('sentences'))}</p>
        <h4>${say('walk.elsewhere')}</h4>
        <div class="lab-line"><button type="button" class="lab-renew">${say('walk.renew')}</button>${view.host.seed ?
            `<label>${say('walk.seed')} <input type="number" class="lab-seed" min="0" max="2147483647" step="1"
                value="${lab.data.base.seed}"></label>` : ''}</div>`;
    const [from, to] = place.querySelectorAll('select'), way = place.querySelector('.way');
    const play = place.querySelector('.lab-play');
    to.value = '1';
    for (const select of [from, to]) select.addEventListener('change', () => view.refresh());
    way.addEventListener('input', () => view.act(() => {
        const [start, end, t] = [from, to, way].map(control => Number(control.value));
        if (start === end) return say('walk.same');
        lab.walk(start, end, t);
        return say('walk.there', {x: percent(t), start: start + 1, end: end + 1});
    }));
    place.querySelector('.lab-renew').addEventListener('click', () => view.act(() => {
        lab.renew();
        return say(lab.pinned.length ? 'walk.renewed_some' : 'walk.renewed');
    }));

    place.querySelector('.lab-seed')?.addEventListener('change', event =>
        view.wait(() => view.host.seed(Number(event.target.value))));

    let frame = 0, before = 0; // of the walk that plays
    let known = null; // the walk that the lists show
    const stop = () => {
        if (!frame) return;
        cancelAnimationFrame(frame);
        frame = 0;
        lab.release();
        play.textContent = say('walk.play');
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
        if (!lab.free.length) return view.say(say('stage.all_pinned'), true);
        lab.release();
        play.textContent = say('walk.stop');
        view.say(say('walk.playing'));
        before = performance.now();
        frame = requestAnimationFrame(step);
    });
    for (const kind of ['keydown', 'pointerdown']) // whoever does something else has seen enough
        view.root.addEventListener(kind, event => {
            if (event.key === 'Escape' || event.target !== play && event.key !== 'Tab') stop();
        }, true);
    calm.addEventListener('change', stop);
    document.addEventListener('visibilitychange', stop);
    const refresh = () => {
        const path = lab.path, key = path && `${path.start} ${path.end}`;
        if (key && key !== known) [from.value, to.value] = [path.start, path.end]; // one that was begun elsewhere
        known = key;
        const on = path?.start === Number(from.value) && path.end === Number(to.value);
        if (!on || !lab.held) way.value = on ? path.t : 0;
        place.querySelector('.percent').textContent = percent(on ? path.t : 0);
    };
    return {refresh};
}
