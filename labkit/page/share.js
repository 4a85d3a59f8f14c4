// Links, pictures and recipes: what the reader keeps, sends, and brings back.

import {linkOf} from './link.js';
import {vectorPanel} from './ownvector.js';
import {download} from './parts.js';
import {isRecipe, readRecipe, recipeOf} from './recipe.js';
import {sheet} from './sheet.js';
import {say} from './words.js';

/** The panel in `place`: {refresh, take}, as of every panel, and a function that takes a file: a recipe, or vectors. */
export function sharePanel(view, place) {
    const {lab} = view;
    place.innerHTML = `<h4>${say('share.title')}</h4>
        <div class="lab-line"><input type="text" class="lab-link" readonly aria-label="${say('share.link')}"><button
            type="button" class="lab-copy">${say('share.copy')}</button></div>
        <p class="lab-about">${say('share.about')}</p>
        <h4>${say('share.files')}</h4>
        <div class="lab-line"><button type="button" class="lab-png">${say('share.png')}</button><button
            type="button" class="lab-save">${say('share.save')}</button><label
            class="lab-file">${say('share.load')}<input type="file" class="lab-load"
            accept=".json,application/json"></label></div>
        <p class="lab-about">${say('share.recipes', {command: '<code>make explore</code>'})}</p>
        <div class="lab-own-vector"></div>`;
    const part = name => place.querySelector(`.lab-${name}`), link = part('link');
    link.addEventListener('focus', () => {
        address(view);
        link.select();
    });
    part('copy').addEventListener('click', async () => {
        address(view);
        try {
            await navigator.clipboard.writeText(link.value);
            view.say(say('share.copied'));
        } catch {
            link.select();
            view.say(say(document.execCommand('copy') ? 'share.copied' : 'share.copy_it'));
        }
    });
    part('save').addEventListener('click', () => {
        download(new Blob([recipeOf(lab)], {type: 'application/json'}), `${lab.network.model}-recipe.json`);
        view.say(say('share.saved'));
    });
    part('png').addEventListener('click', async () => {
        await view.draw();
        sheet(view).toBlob(blob => {
            download(blob, `${lab.network.model}-garments.png`);
            view.say(say('share.saved_picture'));
        });
    });
    const takeVectors = vectorPanel(view, part('own-vector'));
    part('load').addEventListener('change', event => {
        if (event.target.files[0]) takeRecipe(view, event.target.files[0]);
        event.target.value = '';
    });
    view.root.querySelector('#lab-tab-share').addEventListener('focus', () => address(view));
    return {refresh() {}, take: async file => await isRecipe(file) ? takeRecipe(view, file) : takeVectors(file)};
}

/** Open the recipe in `file`. */
async function takeRecipe(view, file) {
    const {lab} = view, text = file.size > 5e6 ? ' '.repeat(5e6) : await file.text();
    view.act(() => {
        lab.take(readRecipe(lab.data, text));
        return say('share.loaded');
    });
}

/** Put the state into the address of the page, and that where it can be copied. */
export function address(view) {
    const link = `#${linkOf(view.lab)}`;
    try {
        history.replaceState(null, '', link);
    } catch {
        /* a page without an address of its own */
    }
    view.root.querySelector('.lab-link').value = location.href.split('#')[0] + link;
}
