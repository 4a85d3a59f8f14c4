// Links, pictures and recipes: what the reader keeps, sends, and brings back.

import {download, element} from './parts.js';
import {SIDE, levels, paint} from './pictures.js';
import {readRecipe, recipeOf} from './recipe.js';
import {GARMENTS} from './vectors.js';

const SCALE = 6, STEP = SIDE * SCALE + 4; // of the picture that is saved: pixels of one, and from garment to garment

/** The panel in `place`; a function that takes a recipe file. */
export function sharePanel(view, place) {
    const {lab} = view;
    place.innerHTML = `<h4>A link to these garments</h4>
        <div class="lab-line"><input type="text" class="lab-link" readonly aria-label="link"><button type="button"
            class="lab-copy">Copy</button></div>
        <p class="lab-about">The link holds the vectors, the network and the sliders. Opened in this same page,
        anywhere, it shows the same pixels.</p>
        <h4>Files</h4>
        <div class="lab-line"><button type="button" class="lab-png">Save picture</button><button type="button"
            class="lab-save">Save recipe</button><label class="lab-file">Load recipe …<input type="file"
            class="lab-load" accept=".json,application/json"></label></div>
        <p class="lab-about">A recipe is what the live editor of <code>make explore</code> keeps, too:
        either opens the other's.</p>`;
    const part = name => place.querySelector(`.lab-${name}`), link = part('link');
    link.addEventListener('focus', () => {
        view.address();
        link.select();
    });
    part('copy').addEventListener('click', async () => {
        view.address();
        try {
            await navigator.clipboard.writeText(link.value);
            view.say('The link is copied.');
        } catch {
            link.select();
            view.say(document.execCommand('copy') ? 'The link is copied.' : 'Copy the link that is selected.');
        }
    });
    part('save').addEventListener('click', () => {
        download(new Blob([recipeOf(lab)], {type: 'application/json'}), `${lab.network.model}-recipe.json`);
        view.say('The recipe is saved.');
    });
    part('png').addEventListener('click', async () => {
        await view.draw();
        sheet(view).toBlob(blob => {
            download(blob, `${lab.network.model}-garments.png`);
            view.say('The picture is saved.');
        });
    });
    const take = async file => {
        const text = file.size > 5e6 ? ' '.repeat(5e6) : await file.text();
        view.act(() => {
            lab.take(readRecipe(lab.data, text));
            return 'The recipe is loaded.';
        });
    };
    part('load').addEventListener('change', event => {
        if (event.target.files[0]) take(event.target.files[0]);
        event.target.value = '';
    });
    return take;
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
