// Links, pictures and recipes: what the reader keeps, sends, and brings back.

import {vectorPanel} from './ownvector.js';
import {download, element} from './parts.js';
import {SIDE, levels, paint} from './pictures.js';
import {readRecipe, recipeOf} from './recipe.js';
import {GARMENTS} from './vectors.js';
import {say} from './words.js';

const SCALE = 6, STEP = SIDE * SCALE + 4; // of the picture that is saved: pixels of one, and from garment to garment

/** The panel in `place`; a function that takes a file: a recipe, or vectors. */
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
        view.address();
        link.select();
    });
    part('copy').addEventListener('click', async () => {
        view.address();
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
    const take = async file => {
        const text = file.size > 5e6 ? ' '.repeat(5e6) : await file.text();
        view.act(() => {
            lab.take(readRecipe(lab.data, text));
            return say('share.loaded');
        });
    };
    part('load').addEventListener('change', event => {
        if (event.target.files[0]) take(event.target.files[0]);
        event.target.value = '';
    });
    return async file => {
        const recipe = /json/.test(file.type + file.name) && !/^\s*\[/.test(await file.slice(0, 99).text());
        return recipe ? take(file) : takeVectors(file);
    };
}

/** The garments as a picture: as they were drawn, if edits changed any, and below as they are now. */
function sheet({lab, drawn}) {
    const rows = lab.edited().length ? [drawn.base, drawn.z] : [drawn.z];
    const whole = element('canvas', {width: GARMENTS * STEP - 4, height: rows.length * STEP - 4});
    const context = whole.getContext('2d'), small = element('canvas', {width: SIDE, height: SIDE});
    context.imageSmoothingEnabled = false;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, whole.width, whole.height);
    rows.forEach((shown, y) => shown.forEach(({image}, x) => {
        paint(small, levels(image));
        context.drawImage(small, x * STEP, y * STEP, SIDE * SCALE, SIDE * SCALE);
    }));
    return whole;
}
