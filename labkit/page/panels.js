// What moves the garments beside the sliders: a pad, walks, a garment of the reader's own, links and files.

import {GARMENTS} from './lab.js';
import {Drawing, fromFile, paint} from './draw.js';

const CALM = '(prefers-reduced-motion: reduce)';
const STARTS = 64,
    STEPS = 120; // of the search for a garment, as in labkit.latent.invert

const options = (select, entries, value) => {
    const text = JSON.stringify(entries);
    if (select.dataset.shown !== text) {
        select.replaceChildren(
            ...entries.map(([label, list]) => {
                const group = Object.assign(document.createElement('optgroup'), {label});
                group.append(...list.map(([key, title]) => new Option(title, key)));
                return group;
            }),
        );
        select.dataset.shown = text;
    }
    select.value = value;
};

// ----- two at once

export function padPanel(view) {
    const {lab} = view,
        place = view.part('panel-pad'),
        range = lab.data.range;
    place.innerHTML = `<p class="lab-about">Two dimensions or directions at once: drag, or use the arrow keys.</p>
        <div class="lab-pad-frame"><label class="up">up <select aria-label="up"></select></label>
        <div class="lab-pad" tabindex="0" role="application" aria-roledescription="pad"><i></i></div><label
            class="across">right <select aria-label="right"></select></label></div>`;
    const pad = view.part('pad'),
        dot = pad.querySelector('i'),
        [up, across] = place.querySelectorAll('select');
    let dims = lab.rows.slice(0, 2).reverse(); // up, right
    const move = (x, y) =>
        view.act(() => {
            view.focus = dims[1];
            lab.move(
                dims[0] === dims[1]
                    ? [[dims[1], x]]
                    : [
                          [dims[1], x],
                          [dims[0], y],
                      ],
                view.held,
            );
        });
    const follow = event => {
        const box = pad.getBoundingClientRect();
        move(
            (((event.clientX - box.left) / box.width) * 2 - 1) * range,
            (1 - ((event.clientY - box.top) / box.height) * 2) * range,
        );
    };
    pad.addEventListener('pointerdown', event => {
        if (event.button) return;
        view.held = true;
        try {
            pad.setPointerCapture(event.pointerId);
        } catch {
            /* the pointer is gone already */
        }
        follow(event);
    });
    pad.addEventListener('pointermove', event => {
        if (pad.hasPointerCapture(event.pointerId)) follow(event);
    });
    pad.addEventListener('keydown', event => {
        const step = event.shiftKey ? 0.01 : 0.1,
            by = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
        if (!by) return;
        event.preventDefault();
        const [y, x] = dims.map(dim => lab.shown(dim).value),
            near = value => Math.round(100 * value) / 100;
        move(near(x + step * by[0]), near(y + step * by[1]));
    });
    [up, across].forEach((select, k) =>
        select.addEventListener('change', () => {
            dims[k] = /^\d+$/.test(select.value) ? Number(select.value) : select.value;
            view.refresh();
        }),
    );
    return {
        refresh() {
            const spare = lab.rows.length ? lab.rows : lab.data.lab_dims;
            dims = dims.map((dim, k) => (lab.knows(dim) ? dim : spare[k % spare.length]));
            const named = list => list.map(dim => [dim, lab.title(dim)]);
            const all = [
                ['with a slider', named(lab.rows)],
                [
                    'directions',
                    named(lab.network.directions.map(one => one.name).filter(name => !lab.rows.includes(name))),
                ],
                ['dimensions', named([...Array(lab.size).keys()].filter(dim => !lab.rows.includes(dim)))],
            ];
            [up, across].forEach((select, k) => options(select, all, String(dims[k])));
            const [y, x] = dims.map(dim => Math.max(-range, Math.min(range, lab.shown(dim).value)));
            dot.style.left = `${50 + (50 * x) / range}%`;
            dot.style.top = `${50 - (50 * y) / range}%`;
            pad.setAttribute(
                'aria-label',
                `Right ${lab.title(dims[1])} ${x.toFixed(2)}, up ${lab.title(dims[0])} ${y.toFixed(2)}`,
            );
        },
    };
}

// ----- walks

export function walkPanel(view) {
    const {lab} = view,
        place = view.part('panel-walk'),
        calm = matchMedia(CALM);
    const garments = [...Array(GARMENTS).keys()].map(k => `<option value="${k}">${k + 1}</option>`).join('');
    place.innerHTML = `<h4>From one garment to another</h4>
        <div class="lab-line"><label>garment <select class="from">${garments}</select></label><label>goes to <select
            class="to">${garments}</select></label>
        <input type="range" class="way" min="0" max="1" step="0.01" value="0" aria-label="how far"><output
            class="percent">0 %</output></div>
        <p class="lab-about">On the great circle between the two vectors, as they now are.</p>
        <h4>A walk without an aim</h4>
        <div class="lab-line"><button type="button" class="lab-play">Let them walk</button></div>
        <p class="lab-about lab-calm"></p>
        <h4>Somewhere else</h4>
        <div class="lab-line"><button type="button" class="lab-renew">Eight new garments</button></div>`;
    const [from, to] = place.querySelectorAll('select'),
        way = place.querySelector('.way'),
        percent = place.querySelector('.percent');
    const play = view.part('play');
    let frame = 0,
        before = 0;
    to.value = '1';
    view.part('renew').addEventListener('click', () =>
        view.act(() => {
            lab.renew();
            return 'Eight new garments. Undo brings the others back.';
        }),
    );
    way.addEventListener('input', () =>
        view.act(() => {
            const [start, end] = [Number(from.value), Number(to.value)];
            if (start === end) return 'Choose two garments that are not the same.';
            lab.walk(start, end, Number(way.value), view.held);
            return `Garment ${start + 1} is ${Math.round(100 * way.value)} % of the way to garment ${end + 1}.`;
        }),
    );
    for (const select of [from, to])
        select.addEventListener('change', () => {
            lab.path = null;
            view.refresh();
        });
    const stop = () => {
        if (!frame) return;
        cancelAnimationFrame(frame);
        frame = 0;
        lab.release();
        play.textContent = 'Let them walk';
        view.rest();
    };
    const step = now => {
        frame = requestAnimationFrame(step);
        if (view.drawing) return; // the next frame: each step is seen
        lab.drift(Math.min(0.1, (now - before) / 1000));
        before = now;
        view.refresh();
    };
    play.addEventListener('click', () => {
        if (frame) return stop();
        lab.release();
        play.textContent = 'Stop';
        before = performance.now();
        frame = requestAnimationFrame(step);
    });
    for (const kind of ['keydown', 'pointerdown']) {
        // whoever does something else has seen enough
        view.root.addEventListener(kind, event => {
            if ((event.target !== play && event.key !== 'Tab') || event.key === 'Escape') stop();
        });
    }
    calm.addEventListener('change', () => {
        if (calm.matches) stop();
    });
    document.addEventListener('visibilitychange', () => {
        if (document.hidden) stop();
    });
    view.part('calm').textContent =
        'The chosen garments wander, each its own way. Escape stops them.' +
        (calm.matches ? ' This device asks for little motion; it begins only when you press the button.' : '');
    return {
        refresh() {
            const path =
                lab.path?.start === Number(from.value) && lab.path.end === Number(to.value) ? lab.path : {t: 0};
            if (!path.t || !view.held) way.value = path.t;
            percent.textContent = `${Math.round(100 * path.t)} %`;
        },
    };
}

// ----- a garment of one's own

export function findPanel(view) {
    const {lab} = view,
        place = view.part('panel-find'),
        {tests} = lab.data;
    const choice = (value, on) =>
        `<label><input type="radio" name="lab-tool"
            value="${value}" ${on ? 'checked' : ''}><span>${value}</span></label>`;
    place.innerHTML = `<p
        class="lab-about">Draw a garment, take a picture of one, or a real one. Then let the network look for it.</p>
    <div class="lab-find"><div><canvas class="lab-draw" tabindex="0" role="application" aria-roledescription="drawing"
            aria-label="Your garment, 28 by 28 pixels. Arrow keys move the cursor, Space draws, Shift with
            arrows draws a line."></canvas></div>
        <div class="lab-draw-tools"><fieldset class="lab-choice"><legend
            class="lab-hidden">tool</legend>${choice('pencil', true)}${choice('eraser')}</fieldset>
            <label>size <input type="range" class="lab-size" min="1" max="7" value="3" step="1"></label>
            <button type="button" class="lab-clear">Clear</button>
            <label class="lab-file">Picture …<input type="file" class="lab-picture" accept="image/*"></label>
            <span class="lab-about">or drop one here; it stays on this computer</span></div></div>
    <div class="lab-tests" role="group" aria-label="Real garments of the test set">${tests.labels
        .map(() => '<button type="button"><canvas width="28" height="28"></canvas></button>')
        .join('')}</div>
    <div class="lab-line"><button type="button" class="lab-go lab-main">Find it</button><span
        class="lab-about lab-goes"></span></div>
    <div class="lab-result" hidden><figure><canvas class="wanted" width="28"
        height="28"></canvas><figcaption>wanted</figcaption></figure>
        <figure><canvas class="got" width="28" height="28"></canvas><figcaption>found</figcaption></figure>
        <div><div class="lab-error" aria-hidden="true"></div><p class="lab-error-words"></p></div></div>`;
    const go = view.part('go'),
        result = view.part('result'),
        words = view.part('error-words');
    const drawing = new Drawing(view.part('draw'), () => {
        go.disabled = drawing.blank && !search;
    });
    let search = null; // what stops the search that runs
    go.disabled = true;
    place.querySelectorAll('[name=lab-tool]').forEach(radio =>
        radio.addEventListener('change', () => {
            drawing.tool = radio.value;
        }),
    );
    view.part('size').addEventListener('input', event => {
        drawing.size = Number(event.target.value);
    });
    view.part('clear').addEventListener('click', () => drawing.clear());
    const take = async file => {
        try {
            drawing.set(await fromFile(file));
            view.say('The picture is centred and fitted into 28 × 28 pixels. Draw on it, or find it.');
        } catch (fault) {
            view.say(fault.message, true);
        }
    };
    view.part('picture').addEventListener('change', event => {
        if (event.target.files[0]) take(event.target.files[0]);
        event.target.value = '';
    });
    view.takePicture = file => {
        view.show('find');
        take(file);
    };
    const pixels = Uint8Array.from(atob(tests.pixels), c => c.charCodeAt(0));
    place.querySelectorAll('.lab-tests button').forEach((button, k) => {
        const own = pixels.subarray(784 * k, 784 * (k + 1)),
            name = lab.data.classes[tests.labels[k]];
        paint(button.firstChild, own);
        button.setAttribute('aria-label', `real garment ${k + 1}: ${name}`);
        button.title = name;
        button.addEventListener('click', () => drawing.set(own));
    });
    const report = (rms, image) => {
        const {test_rms: real, noise_rms: noise} = lab.network,
            whole = Math.max(80, (noise ?? 0) * 1.1);
        const marks = [
            [rms, 'found'],
            [real, 'real'],
            [noise, 'noise'],
        ].filter(([at]) => at !== null);
        view.part('error').innerHTML = marks
            .map(
                ([at, kind]) => `<i class="${kind}" style="left:${Math.min(100, (100 * at) / whole).toFixed(1)}%"></i>`,
            )
            .join('');
        words.textContent =
            `${rms.toFixed(1)} grey levels off (root mean square per pixel).` +
            (real === null ? '' : ` A real test garment: ${real.toFixed(0)}.`) +
            (noise === null ? '' : ` Noise: ${noise.toFixed(0)}.`);
        if (image)
            paint(
                place.querySelector('.got'),
                image.map(x => (x + 1) * 127.5),
            );
    };
    const run = async () => {
        const target = drawing.image,
            row = lab.chosen[0],
            index = lab.index,
            stopper = (search = new AbortController());
        go.textContent = 'Stop';
        result.hidden = false;
        words.textContent = 'Looking …';
        paint(place.querySelector('.wanted'), drawing.pixels);
        let last = null;
        try {
            const generator = await view.generator();
            const starts = Float32Array.from(
                {length: STARTS * lab.size},
                () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()),
            );
            const found = await generator.invert(target, {
                starts,
                steps: STEPS,
                signal: stopper.signal,
                onStep(step, all, best) {
                    last = best;
                    report(best.rms, best.image);
                    view.part('goes').textContent = `step ${step} of ${STEPS}`;
                },
            });
            if (stopper.signal.aborted || index !== lab.index) throw Error('stopped');
            report(found.rms, found.image);
            lab.place(row, found.z);
            lab.choose([row]);
            view.refresh();
            view.say(
                `Found, ${found.rms.toFixed(0)} grey levels off: it is garment ${row + 1} now,` +
                    ' and the sliders edit it.',
            );
        } catch (fault) {
            const stopped = stopper.signal.aborted || index !== lab.index;
            view.say(
                stopped
                    ? `Stopped${last ? ` at ${last.rms.toFixed(0)} grey levels` : ''}: no garment was replaced.`
                    : `The search failed (${fault.message}).`,
                !stopped,
            );
        }
        search = null;
        go.textContent = 'Find it';
        go.disabled = drawing.blank;
        view.part('goes').textContent = '';
        this_panel.refresh();
    };
    go.addEventListener('click', () => (search ? search.abort() : run()));
    const this_panel = {
        refresh() {
            if (!search) view.part('goes').textContent = `takes the place of garment ${lab.chosen[0] + 1}`;
        },
    };
    return this_panel;
}

// ----- links and files

export function sharePanel(view) {
    const {lab} = view,
        place = view.part('panel-share');
    place.innerHTML = `<h4>A link to these garments</h4>
        <div class="lab-line"><input type="text" class="lab-link" readonly aria-label="link"><button type="button"
            class="lab-copy">Copy</button></div>
        <p class="lab-about">The link holds the vectors, the network and the sliders. Opened in this same page, anywhere,
        it shows the same pixels.</p>
        <h4>Files</h4>
        <div class="lab-line"><button type="button" class="lab-png">Save picture</button><button type="button"
            class="lab-save">Save recipe</button>
        <label class="lab-file">Load recipe …<input type="file" class="lab-load"
            accept=".json,application/json"></label></div>
        <p class="lab-about">A recipe is what the live editor of <code>make explore</code> keeps, too:
        either opens the other's.</p>`;
    const link = view.part('link');
    link.addEventListener('focus', () => {
        view.address();
        link.select();
    });
    view.part('copy').addEventListener('click', async () => {
        view.address();
        try {
            await navigator.clipboard.writeText(link.value);
            view.say('The link is copied.');
        } catch {
            link.select();
            view.say(document.execCommand('copy') ? 'The link is copied.' : 'Copy the link that is selected.');
        }
    });
    view.part('save').addEventListener('click', () => {
        download(
            new Blob([JSON.stringify(lab.recipe())], {type: 'application/json'}),
            `${lab.network.model}-recipe.json`,
        );
        view.say('The recipe is saved.');
    });
    view.part('png').addEventListener('click', async () => {
        await view.draw();
        sheet(view).toBlob(blob => {
            download(blob, `${lab.network.model}-garments.png`);
            view.say('The picture is saved.');
        });
    });
    const load = async file => {
        const text = file.size > 5e6 ? ' '.repeat(5e6) : await file.text();
        view.act(() => {
            lab.load(text);
            return 'The recipe is loaded.';
        });
    };
    view.part('load').addEventListener('change', event => {
        if (event.target.files[0]) load(event.target.files[0]);
        event.target.value = '';
    });
    view.root.addEventListener('dragover', event => {
        if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
    });
    view.root.addEventListener('drop', event => {
        const file = event.dataTransfer?.files[0];
        if (!file) return;
        event.preventDefault();
        if (/json$/.test(file.type) || /\.json$/i.test(file.name)) load(file);
        else view.takePicture(file);
    });
    return {};
}

function download(blob, name) {
    const link = Object.assign(document.createElement('a'), {href: URL.createObjectURL(blob), download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** The garments as a picture: as they were drawn, and below as they are now. */
function sheet(view) {
    const scale = 6,
        gap = 4,
        step = 28 * scale + gap,
        edited = view.lab.edited().length > 0,
        rows = edited ? [view.bases, view.images] : [view.images];
    const canvas = Object.assign(document.createElement('canvas'), {
        width: GARMENTS * step - gap,
        height: rows.length * step - gap,
    });
    const context = canvas.getContext('2d'),
        small = Object.assign(document.createElement('canvas'), {width: 28, height: 28});
    context.imageSmoothingEnabled = false;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    rows.forEach((shown, y) =>
        shown.forEach(({image}, x) => {
            paint(
                small,
                image.map(value => (value + 1) * 127.5),
            );
            context.drawImage(small, x * step, y * step, 28 * scale, 28 * scale);
        }),
    );
    return canvas;
}
