// What the kernel keeps: recipes with their pictures, animations; and files to send.

import {vectorPanel} from './ownvector.js';
import {download, element, escaped} from './parts.js';
import {isRecipe, recipeOf} from './recipe.js';
import {sheet} from './sheet.js';
import {say} from './words.js';

/** The panel; `kernel` keeps. */
export const keepPanel = kernel => (view, place) => {
    const {lab} = view;
    place.innerHTML = `<h4>${say('kernel.keep')}</h4>
        <div class="lab-line"><button type="button" class="lab-keep lab-main">${say('kernel.save')}</button><button
            type="button" class="lab-sweep">${say('kernel.sweep')}</button></div>
        <img class="lab-movie" hidden alt="${say('kernel.movie')}"><div class="lab-gallery"></div>
        <h4>${say('share.files')}</h4>
        <div class="lab-line"><button type="button" class="lab-png">${say('share.png')}</button><button
            type="button" class="lab-save">${say('share.save')}</button><label
            class="lab-file">${say('share.load')}<input type="file" class="lab-load"
            accept=".json,application/json"></label></div>
        <p class="lab-about">${say('kernel.send')}</p>
        <div class="lab-own-vector"></div>`;
    const part = name => place.querySelector(`.lab-${name}`), gallery = part('gallery'), movie = part('movie');
    const show = ({kept, movie: moving}) => {
        gallery.replaceChildren(...kept.map(({name, picture}) => {
            const button = element('button', {type: 'button', title: say('kernel.open', {name}),
                innerHTML: `${picture ? `<img alt="" src="${picture}">` : ''}<span>${escaped(name)}</span>`});
            button.addEventListener('click', () => ask('load', {name}));
            return button;
        }));
        movie.hidden = !moving;
        if (moving && movie.src !== moving) movie.src = moving;
    };
    const ask = (deed, fields) => view.wait(async () => {
        const answer = await kernel.ask(deed, fields);
        if (answer.kept) show(answer);
        return answer.said;
    });
    part('keep').addEventListener('click', () => ask('save'));
    part('sweep').addEventListener('click', () => ask('sweep', {dim: lab.focus ?? 0}));
    part('save').addEventListener('click', () => {
        download(new Blob([recipeOf(lab)], {type: 'application/json'}), `${lab.network.model}-recipe.json`);
        view.say(say('share.saved'));
    });
    part('png').addEventListener('click', async () => {
        await view.draw();
        sheet(view).toBlob(blob => download(blob, `${lab.network.model}-garments.png`));
        view.say(say('share.saved_picture'));
    });
    const takeVectors = vectorPanel(view, part('own-vector'));
    const take = async file => await isRecipe(file) ?
        view.wait(async () => (await kernel.ask('recipe', {text: await file.text()})).said) : takeVectors(file);
    part('load').addEventListener('change', event => {
        if (event.target.files[0]) take(event.target.files[0]);
        event.target.value = '';
    });
    return {refresh() {}, show, take};
};
