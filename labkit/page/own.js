// A garment of the reader's own: drawn, from a picture, or a real one; and the search of the network for it.

import {Drawing} from './draw.js';
import {canvas, choice, escaped} from './parts.js';
import {PIXELS, fromFile, levels, paint} from './pictures.js';
import {normals} from './vectors.js';
import {say} from './words.js';

const TOOLS = ['pencil', 'eraser'];

/** The panel in `place`: {refresh, take}, functions that show the state, and that take a picture file. */
export function ownPanel(view, place) {
    const {lab} = view, {tests, classes} = lab.data;
    place.innerHTML = `<p class="lab-about">${say('find.about')}</p>
    <div class="lab-find"><canvas class="lab-draw" tabindex="0" role="application" aria-label="${say('find.canvas')}"
            aria-roledescription="${say('find.drawing')}"></canvas>
        <div class="lab-draw-tools">${choice('tool', say('find.tool'), TOOLS.map(name => say(`find.${name}`)))}
            <label>${say('find.size')} <input type="range" class="lab-size" min="1" max="7" value="3" step="1"></label>
            <button type="button" class="lab-clear">${say('find.clear')}</button>
            <label class="lab-file">${say('find.picture')}<input type="file" class="lab-picture"
                accept="image/*"></label>
            <span class="lab-about">${say('find.drop')}</span></div></div>
    <div class="lab-tests" role="group" aria-label="${say('find.tests')}">${tests.labels.map((label, k) =>
        `<button type="button" aria-label="${escaped(say('find.test', {k: k + 1, name: classes[label]}))}"
            title="${escaped(classes[label])}">${canvas('')}</button>`).join('')}</div>
    <div class="lab-line"><button type="button" class="lab-go lab-main">${say('find.go')}</button><span
        class="lab-about lab-goes"></span></div>
    <div class="lab-result" hidden><figure>${canvas('wanted')}<figcaption>${say('find.wanted')}</figcaption></figure>
        <figure>${canvas('got')}<figcaption>${say('find.got')}</figcaption></figure>
        <div><div class="lab-error" aria-hidden="true"></div><p class="lab-error-words"></p></div></div>`;
    const part = name => place.querySelector(`.lab-${name}`), go = part('go');
    const drawing = new Drawing(part('draw'), () => refresh());
    let search = null; // what stops the search that runs
    const refresh = () => {
        go.textContent = say(search ? 'find.stop' : 'find.go');
        go.disabled = drawing.blank && !search;
        if (!search) part('goes').textContent = say('find.place', {k: lab.first + 1});
    };
    const take = async file => {
        try {
            drawing.set(await fromFile(file));
            view.say(say('find.fitted'));
        } catch (fault) {
            view.say(fault.message, true);
        }
    };
    const find = async () => {
        const {network} = lab, [row] = lab.free, {search: constants} = lab.data, {signal} = search;
        let best = null;
        part('result').hidden = false;
        part('error-words').textContent = say('find.looking');
        paint(place.querySelector('.wanted'), drawing.pixels);
        const onStep = (step, _all, found) => {
            best = found;
            showFound(place, network, best);
            part('goes').textContent = say('find.step', {k: step, all: constants.steps});
        };
        try {
            const starts = normals(constants.starts * lab.size), generator = await view.host.generatorOf(network);
            const {z} = await generator.invert(drawing.image, {starts, constants, onStep, signal});
            if (signal.aborted || network !== lab.network) throw Error();
            view.act(() => {
                lab.place(row, z);
                lab.choose([row]);
                return say('find.found', {off: best.rms.toFixed(0), k: row + 1});
            });
        } catch (fault) {
            const stopped = signal.aborted || network !== lab.network;
            if (!stopped) view.say(say('find.failed', {fault: fault.message}), true);
            else view.say(best ? say('find.stopped_at', {off: best.rms.toFixed(0)}) : say('find.stopped'));
        }
    };
    go.addEventListener('click', async () => {
        if (search) return search.abort();
        if (!lab.free.length) return view.say(say('stage.all_pinned'), true);
        search = new AbortController();
        refresh();
        await find();
        search = null;
        refresh();
    });
    place.querySelectorAll('[name=lab-tool]').forEach((radio, k) =>
        radio.addEventListener('change', () => { drawing.ink = k === 0; }));
    part('size').addEventListener('input', event => { drawing.size = Number(event.target.value); });
    part('clear').addEventListener('click', () => drawing.set(new Float32Array(PIXELS)));
    part('picture').addEventListener('change', event => {
        if (event.target.files[0]) take(event.target.files[0]);
        event.target.value = '';
    });
    const pixels = Uint8Array.from(atob(tests.pixels), c => c.charCodeAt(0));
    place.querySelectorAll('.lab-tests button').forEach((button, k) => {
        const own = pixels.subarray(PIXELS * k, PIXELS * (k + 1));
        paint(button.firstChild, own);
        button.addEventListener('click', () => drawing.set(own));
    });
    return {refresh, take};
}

/** What a search has found so far: its picture, and how far off it is beside a real test garment and noise. */
function showFound(place, {test_rms: real, noise_rms: noise}, {rms, image}) {
    const whole = Math.max(80, 1.1 * (noise ?? 0)), marks = {found: rms, real, noise};
    place.querySelector('.lab-error').innerHTML = Object.keys(marks).filter(kind => marks[kind] !== null).map(kind =>
        `<i class="${kind}" style="left:${Math.min(100, 100 * marks[kind] / whole).toFixed(1)}%"></i>`).join('');
    const texts = [say('find.off', {off: rms.toFixed(1)})];
    if (real !== null) texts.push(say('find.off_real', {off: real.toFixed(0)}));
    if (noise !== null) texts.push(say('find.off_noise', {off: noise.toFixed(0)}));
    place.querySelector('.lab-error-words').textContent = texts.join(say('sentences'));
    paint(place.querySelector('.got'), levels(image));
}
