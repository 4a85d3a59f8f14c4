// The stage: eight garments that are buttons, which network draws them, and what is undone.

import {percent} from './atlas.js';
import {gripGarments} from './grip.js';
import {makeLook} from './look.js';
import {canvas, choice, escaped, roving} from './parts.js';
import {brightness, width} from './pictures.js';
import {EVERY, norm} from './vectors.js';
import {listed, say} from './words.js';

const PEN = 'M3 13l.7-3L11 2.7 13.3 5 6 12.3 3 13z', PIN = 'M5.5 2h5l-.6 5L12 9.5V11H4V9.5L6.1 7zM8 11v4';
const USUAL = 2.1; // how far a length of N(0, I) may lie from what is usual: three deviations

/** The stage in `place`: {refresh, show, name}, functions that show the state, the picture of a garment that
 *  was drawn of its vector in z, base or beside, and its class. */
export function makeStage(view, place) {
    const {lab} = view, titles = lab.data.networks.map(network => network.title);
    place.innerHTML = `<div class="lab-head">${
        networkChoice(titles)}
        <div class="lab-look"></div><p>${say('stage.change')}<b class="lab-who"></b> <button type="button"
            class="lab-all lab-plain">${say('stage.all')}</button></p>
        <div class="lab-tools"><button type="button" class="lab-undo" title="Ctrl+Z">${say('stage.undo')}</button>
        <button type="button" class="lab-redo" title="Ctrl+Shift+Z">${say('stage.redo')}</button>
        <button type="button" class="lab-reset" title="${say('stage.reset_tip')}">${
            say('stage.reset')}</button></div></div>
        <div class="lab-stage" role="toolbar" aria-label="${say('stage.name')}" aria-describedby="lab-stage-keys">${
            EVERY.map(garment).join('')}</div><p class="lab-hidden" id="lab-stage-keys">${say('stage.keys')}</p>
        <p class="lab-status" role="status"></p>`;
    const garments = [...place.querySelectorAll('.lab-garment')];
    const networks = place.querySelectorAll('[name=lab-network]'), list = place.querySelector('.lab-networks');
    const part = name => place.querySelector(`.lab-${name}`);
    networks.forEach((radio, k) => radio.addEventListener('change', () => view.use(k)));
    list?.addEventListener('change', () => view.use(Number(list.value)));
    part('all').addEventListener('click', () => view.act(() => {
        lab.choose(EVERY);
        garments.find(button => !button.tabIndex).focus();
    }));
    part('reset').addEventListener('click', () =>
        view.act(() => lab.free.length && idle().reset ? say('stage.as_they_were') : lab.reset()));
    for (const name of ['undo', 'redo']) part(name).addEventListener('click', () => view.history(name));
    roving(part('stage'));
    gripGarments(view, garments);
    const look = makeLook(view, part('look'), garments);
    const idle = () => ({undo: !lab.done.length, redo: !lab.undone.length,
        reset: !lab.edited().some(row => lab.free.includes(row))});
    const refresh = () => {
        const edited = lab.edited(), all = lab.chosen.length === EVERY.length, usual = Math.sqrt(lab.size - 0.5);
        garments.forEach((button, row) => {
            const length = norm(lab.vector(row)), text = button.querySelector('.length');
            button.setAttribute('aria-pressed', String(lab.chosen.includes(row)));
            for (const [mark, rows] of Object.entries({edited, pinned: lab.pinned})) {
                button.classList.toggle(mark, rows.includes(row));
                button.querySelector(`.${mark}`).hidden = !rows.includes(row);
            }
            text.lastChild.textContent = length.toFixed(1);
            text.classList.toggle('far', Math.abs(length - usual) > USUAL);
        });
        part('who').textContent = who(lab.free);
        part('all').hidden = all;
        for (const [name, nothing] of Object.entries(idle()))
            part(name).setAttribute('aria-disabled', String(nothing)); // keeps the focus
        networks.forEach((radio, k) => { radio.checked = k === lab.index; });
        if (list) {
            for (const {title} of lab.data.networks.slice(list.length)) list.add(new Option(title, list.length));
            list.value = lab.index;
        }
        look.refresh();
    };
    const show = (row, of) => {
        look.show(row, of);
        if (of !== 'z') return;
        const find = name => garments[row].querySelector(name), {image} = view.drawn.z[row];
        find('.bright').firstChild.textContent = brightness(image).toFixed(0);
        find('.wide').textContent = say('stage.px', {x: width(image)});
        garments[row].classList.add('stale');
    };
    const name = (row, text, chance) => {
        garments[row].querySelector('.class').textContent = text;
        garments[row].querySelector('.chance').textContent = percent(chance);
        garments[row].classList.remove('stale');
    };
    return {refresh, show, name};
}

/** Buttons for a few networks, a list for more. */
const networkChoice = titles => titles.length < 2 ? '' : titles.length < 4 ?
    choice('network', say('stage.network'), titles) :
    `<label class="lab-which">${say('stage.network')} <select class="lab-networks">${titles.map((title, k) =>
        `<option value="${k}">${escaped(title)}</option>`).join('')}</select></label>`;

/** What edits change, in words. */
function who(rows) {
    if (rows.length === EVERY.length) return say('stage.every');
    const which = listed(rows.map(row => row + 1), 'stage.and');
    return rows.length ? say(rows.length > 1 ? 'stage.some' : 'stage.one', {which}) : say('stage.none');
}

const mark = (name, path) => `<span class="mark ${name}" role="img" aria-label="${say(`marks.${name}`)}"
    title="${say(`marks.${name}`)}" hidden><svg viewBox="0 0 16 16" aria-hidden="true"><path
    d="${path}"/></svg></span>`;

const garment = k => `<button type="button" class="lab-garment" aria-pressed="true" tabindex="${k ? -1 : 0}"><span
    class="number">${k + 1}</span> <span class="marks">${mark('edited', PEN)}${mark('pinned', PIN)}</span>
    <span class="pictures">${canvas('picture')}${canvas('beside')}</span><span class="class"></span> <span
    class="chance"></span> ${canvas('before')}<span class="bright"><span></span><span class="unit">${
        say('stage.grey')}</span></span> <span class="wide"></span> <span class="length"><span class="sign">|z|
    </span><span></span></span></button>`;
