// What the kernel keeps: recipes with their pictures, animations; and files to send.

import {filesPart} from './files.js';
import {element, escaped} from './parts.js';
import {say} from './words.js';

/** The panel; `kernel` keeps. */
export const keepPanel = kernel => (view, place) => {
    const {lab} = view;
    place.innerHTML = `<h4>${say('kernel.keep')}</h4>
        <div class="lab-line"><button type="button" class="lab-keep lab-main">${say('kernel.save')}</button><button
            type="button" class="lab-sweep">${say('kernel.sweep')}</button></div>
        <img class="lab-movie" hidden alt="${say('kernel.movie')}"><div class="lab-gallery"></div>
        <div class="lab-files"></div>`;
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
    const take = filesPart(view, part('files'), say('kernel.send'), text => ask('recipe', {text}));
    return {refresh() {}, show, take};
};
