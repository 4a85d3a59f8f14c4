// The film: pictures of the last states below the stage, and the way back to each.

import {element, roving} from './parts.js';
import {SIDE, levels, paint} from './pictures.js';
import {EVERY, same} from './vectors.js';
import {say} from './words.js';

const KEPT = 20, ACROSS = 4; // states; garments side by side in the picture of one

/** The strip of states in `place`: {refresh, keep}, functions that mark the present state, and that take it up. */
export function makeFilm(view, place) {
    const {lab} = view, strip = element('div', {className: 'lab-film'});
    strip.classList.add('lab-bare'); // its room is kept
    strip.setAttribute('role', 'toolbar');
    strip.setAttribute('aria-label', say('film.name'));
    place.append(strip);
    roving(strip);
    const frames = []; // of each state, the oldest first: {by, base, z, button}; `by` is its generator
    const present = () => frames.find(({by, base, z}) =>
        by === lab.network.generator_sha256 && same(base, lab.base) && same(z, lab.z));
    const titleOf = ({by}) => lab.data.networks.find(one => one.generator_sha256 === by)?.title;
    const refresh = () => {
        const now = present();
        for (const frame of frames) frame.button.setAttribute('aria-current', String(frame === now));
    };
    const name = () => {
        const several = new Set(frames.map(one => one.by)).size > 1;
        frames.forEach((frame, k) => {
            const fields = {k: k + 1, all: frames.length, network: titleOf(frame)};
            frame.button.setAttribute('aria-label', say(several ? 'film.state_of' : 'film.state', fields));
            frame.button.title = several ? fields.network : '';
        });
        strip.classList.toggle('lab-bare', frames.length < 2);
    };
    const back = frame => view.act(() => {
        const index = lab.data.networks.findIndex(one => one.generator_sha256 === frame.by);
        if (index < 0) throw Error(say('film.elsewhere'));
        lab.take({base: frame.base.slice(), z: frame.z.slice(), index});
        return say('film.back', {k: frames.indexOf(frame) + 1, all: frames.length});
    });
    const keep = () => {
        const shown = view.drawn.z, drawn = row => shown[row] && same(shown[row].z, lab.vector(row));
        if (lab.held || present() || !EVERY.every(drawn)) return;
        const button = element('button', {type: 'button', tabIndex: -1});
        const frame = {by: lab.network.generator_sha256, base: lab.base.slice(), z: lab.z.slice(), button};
        button.append(sheet(shown.map(one => one.image)));
        button.addEventListener('click', () => back(frame));
        frames.push(frame);
        strip.append(button);
        if (frames.length > KEPT) drop(frames.shift().button, frames[0].button);
        name();
        refresh();
        if (!strip.contains(document.activeElement)) {
            for (const {button: other} of frames) other.tabIndex = other === button ? 0 : -1;
            strip.scrollLeft = strip.scrollWidth;
        }
    };
    return {refresh, keep};
}

// Take `button` away; where it has the focus, `next` gets it.
function drop(button, next) {
    if (button === document.activeElement) next.focus();
    button.remove();
}

/** The garments of `images` as one small picture. */
function sheet(images) {
    const whole = element('canvas', {width: ACROSS * SIDE, height: images.length / ACROSS * SIDE});
    const context = whole.getContext('2d'), one = element('canvas', {width: SIDE, height: SIDE});
    images.forEach((image, k) => {
        paint(one, levels(image));
        context.drawImage(one, k % ACROSS * SIDE, Math.floor(k / ACROSS) * SIDE);
    });
    return whole;
}
