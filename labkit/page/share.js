// Links and files: what the reader keeps, sends, and brings back.

import {filesPart} from './files.js';
import {linkOf} from './link.js';
import {readRecipe} from './recipe.js';
import {say} from './words.js';

/** The panel in `place`: {refresh, take}, as of every panel, and a function that takes a file: a recipe, or vectors. */
export function sharePanel(view, place) {
    const {lab} = view;
    place.innerHTML = `<h4>${say('share.title')}</h4>
        <div class="lab-line"><input type="text" class="lab-link" readonly aria-label="${say('share.link')}"><button
            type="button" class="lab-copy">${say('share.copy')}</button></div>
        <p class="lab-about">${say('share.about')}</p>
        <div class="lab-files"></div>`;
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
    const take = filesPart(view, part('files'), say('share.recipes', {command: '<code>make explore</code>'}), text =>
        view.act(() => {
            lab.take(readRecipe(lab.data, text));
            return say('share.loaded');
        }));
    view.root.querySelector('#lab-tab-share').addEventListener('focus', () => address(view));
    return {refresh() {}, take};
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
