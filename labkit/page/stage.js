// The stage: eight garments that are buttons, which network draws them, and what is undone.

import {percent} from './atlas.js';
import {canvas, choice, escaped} from './parts.js';
import {brightness, levels, paint, width} from './pictures.js';
import {EVERY, norm} from './vectors.js';
import {listed, say} from './words.js';

const USUAL = 2.1; // how far a length of N(0, I) may lie from what is usual: three deviations

/** The stage in `place`: {refresh, show, name}, functions that show the state, the picture of a garment, its class. */
export function makeStage(view, place) {
    const {lab} = view, titles = lab.data.networks.map(network => network.title);
    place.innerHTML = `<div class="lab-head">${
        networkChoice(titles)}
        <p>${say('stage.change')}<b class="lab-who"></b> <button type="button"
            class="lab-all lab-plain">${say('stage.all')}</button></p>
        <div class="lab-tools"><button type="button" class="lab-undo" title="Ctrl+Z">${say('stage.undo')}</button>
        <button type="button" class="lab-redo" title="Ctrl+Shift+Z">${say('stage.redo')}</button>
        <button type="button" class="lab-reset" title="${say('stage.reset_tip')}">${
            say('stage.reset')}</button></div></div>
        <div class="lab-stage" role="toolbar" aria-label="${say('stage.name')}">${
            EVERY.map(garment).join('')}</div>
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
        view.act(() => idle().reset ? say('stage.as_they_were') : lab.reset()));
    for (const name of ['undo', 'redo']) part(name).addEventListener('click', () => view.history(name));
    garments.forEach((button, row) => {
        button.addEventListener('click', () => view.act(() => lab.click(row)));
        button.addEventListener('focus', () =>
            garments.forEach(other => { other.tabIndex = other === button ? 0 : -1; }));
        button.addEventListener('keydown', event => {
            const across = getComputedStyle(part('stage')).gridTemplateColumns.split(' ').length;
            const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across}[event.key];
            if (!step || !garments[row + step]) return;
            event.preventDefault();
            garments[row + step].focus();
        });
    });
    const idle = () => ({undo: !lab.done.length, redo: !lab.undone.length,
        reset: !lab.edited().some(row => lab.chosen.includes(row))});
    const refresh = () => {
        const edited = lab.edited(), all = lab.chosen.length === EVERY.length, usual = Math.sqrt(lab.size - 0.5);
        garments.forEach((button, row) => {
            const length = norm(lab.vector(row)), text = button.querySelector('.length');
            button.setAttribute('aria-pressed', String(lab.chosen.includes(row)));
            button.classList.toggle('edited', edited.includes(row));
            text.lastChild.textContent = length.toFixed(1);
            text.classList.toggle('far', Math.abs(length - usual) > USUAL);
        });
        const which = listed(lab.chosen.map(row => row + 1), 'stage.and');
        const some = lab.chosen.length > 1 ? 'stage.some' : 'stage.one';
        part('who').textContent = say(all ? 'stage.every' : some, {which});
        part('all').hidden = all;
        for (const [name, nothing] of Object.entries(idle()))
            part(name).setAttribute('aria-disabled', String(nothing)); // keeps the focus
        networks.forEach((radio, k) => { radio.checked = k === lab.index; });
        if (list) list.value = lab.index;
    };
    const show = (row, image, now) => {
        const find = name => garments[row].querySelector(name);
        paint(find(now ? '.picture' : '.before'), levels(image));
        if (!now) return;
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

const garment = k => `<button type="button" class="lab-garment" aria-pressed="true" tabindex="${k ? -1 : 0}"><span
    class="number">${k + 1}</span> ${canvas('picture')}<span class="class"></span> <span class="chance"></span>
    ${canvas('before')}<span class="bright"><span></span><span class="unit">${say('stage.grey')}</span></span> <span
    class="wide"></span> <span class="length"><span class="sign">|z| </span><span></span></span></button>`;
