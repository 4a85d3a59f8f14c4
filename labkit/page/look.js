// What the pictures of the stage show: garments as they are, as they were, or the change; and another network beside.

import {choice, element} from './parts.js';
import {levels, paint, paintChange} from './pictures.js';
import {EVERY} from './vectors.js';
import {say} from './words.js';

const LOOKS = ['now', 'base', 'change'];
const PEEK = 'b'; // the key that shows base as long as it is held

/** What chooses it, in `place`; `garments` are the buttons. {refresh, show}: functions that show the state, and the
 *  picture of garment `row` that was drawn of its vector in z, base or beside. */
export function makeLook(view, place, garments) {
    const {lab, drawn} = view, {signed} = lab.data;
    const colours = Uint8Array.from(atob(signed), c => c.charCodeAt(0));
    place.innerHTML = `${choice('look', say('stage.look'), LOOKS.map(name => say(`look.${name}`)))}<label
        class="lab-with">${say('stage.beside')} <select class="lab-beside"></select></label>`;
    const radios = [...place.querySelectorAll('[name=lab-look]')], select = place.querySelector('select');
    const canvases = name => garments.map(button => button.querySelector(`canvas.${name}`));
    const [large, small, beside] = ['picture', 'before', 'beside'].map(canvases);
    let chosen = 'now', peeked = null; // the garment whose base is looked at meanwhile
    small.forEach(canvas => told(canvas, say('look.base')));

    const paintLarge = row => {
        const [now, base] = [drawn.z[row]?.image, drawn.base[row]?.image], look = row === peeked ? 'base' : chosen;
        if (!now || !base) return;
        if (look === 'change') paintChange(large[row], base, now, colours);
        else paint(large[row], levels(look === 'base' ? base : now));
        told(large[row], say(`look.${look}`));
        garments[row].dataset.look = look;
    };
    const peek = row => {
        const before = peeked;
        peeked = row;
        for (const one of [before, row]) if (one !== null) paintLarge(one);
    };
    radios.forEach((radio, k) => radio.addEventListener('change', () => {
        chosen = LOOKS[k];
        EVERY.forEach(paintLarge);
        view.say(say(`looks.${chosen}`));
    }));
    garments.forEach((button, row) => {
        small[row].addEventListener('pointerenter', () => peek(row));
        small[row].addEventListener('pointerleave', () => peek(null));
        button.addEventListener('keydown', event => {
            if (event.key.toLowerCase() === PEEK && !event.ctrlKey && !event.metaKey && !event.altKey) peek(row);
        });
        for (const kind of ['keyup', 'blur'])
            button.addEventListener(kind, () => peeked === row && peek(null));
    });
    select.addEventListener('change', () => view.accompany(select.value === '' ? null : Number(select.value)));

    const refresh = () => {
        offer(select, lab);
        const {companion} = lab;
        for (const canvas of beside) {
            canvas.hidden = !companion;
            if (companion) told(canvas, say('look.beside', {title: companion.title}));
        }
    };
    const show = (row, of) => {
        if (of === 'beside') paint(beside[row], levels(drawn.beside[row].image));
        else paintLarge(row);
        if (of === 'base') paint(small[row], levels(drawn.base[row].image));
    };
    return {refresh, show};
}

/** Say what `canvas` shows. */
function told(canvas, text) {
    canvas.setAttribute('role', 'img');
    if (canvas.getAttribute('aria-label') !== text) canvas.setAttribute('aria-label', text);
}

/** Offer in `select` the networks that can draw the vectors of `lab`, too. */
function offer(select, lab) {
    const fits = ({latent_dim: size}) => size === undefined || size === lab.size; // known of those that were opened
    const others = lab.data.networks.map((network, k) => ({network, k}))
        .filter(({network}) => network !== lab.network && fits(network));
    const shown = others.map(({k}) => k).join();
    select.parentNode.hidden = !others.length;
    if (select.dataset.shown !== shown) select.replaceChildren(new Option(say('stage.alone'), ''),
        ...others.map(({network, k}) => element('option', {value: k, textContent: network.title})));
    select.dataset.shown = shown;
    select.value = lab.companion ? lab.beside : '';
}
