// The garments as files: a picture, a recipe, numbers; saved, and opened.

import {vectorPanel} from './ownvector.js';
import {download} from './parts.js';
import {isRecipe, recipeOf} from './recipe.js';
import {sheet} from './sheet.js';
import {GARMENTS} from './vectors.js';
import {say} from './words.js';

const LONGEST = 5e6; // bytes of a recipe that are read

/** The part of a panel in `place`: `about` says what files are for, `open(text)` opens a recipe. A function that takes
 *  a file, a recipe or vectors. */
export function filesPart(view, place, about, open) {
    const {lab} = view;
    place.innerHTML = `<h4>${say('share.files')}</h4>
        <div class="lab-line"><button type="button" class="lab-png">${say('share.png')}</button><button
            type="button" class="lab-save">${say('share.save')}</button><label
            class="lab-file">${say('share.load')}<input type="file" class="lab-load"
            accept=".json,application/json"></label></div>
        <p class="lab-about">${about}</p>
        <div class="lab-own-vector"></div>`;
    const part = name => place.querySelector(`.lab-${name}`);
    part('save').addEventListener('click', () => {
        const file = `${lab.network.model}-recipe.json`;
        download(new Blob([recipeOf(lab)], {type: 'application/json'}), file);
        view.say(say('share.saved', {file}));
    });
    part('png').addEventListener('click', async () => {
        await view.draw();
        sheet(view).toBlob(blob => {
            const which = lab.chosen.length < GARMENTS ? lab.chosen.map(row => `-${row + 1}`).join('') : 's';
            const file = `${lab.network.model}-garment${which}.png`;
            download(blob, file);
            view.say(say('share.saved', {file}));
        });
    });
    const takeVectors = vectorPanel(view, part('own-vector'));
    const takeRecipe = async file => open(file.size > LONGEST ? ' '.repeat(LONGEST) : await file.text());
    part('load').addEventListener('change', event => {
        if (event.target.files[0]) takeRecipe(event.target.files[0]);
        event.target.value = '';
    });
    return async file => await isRecipe(file) ? takeRecipe(file) : takeVectors(file);
}
