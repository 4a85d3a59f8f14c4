// Time: eight latent vectors through a training, with the scores and losses of the epoch.

import {GARMENTS} from './lab.js';
import {paint} from './draw.js';

const CANVAS = '<canvas width="28" height="28"></canvas>';
const WIDE = 300,
    TALL = 96; // of a chart, in units of its own

/** The bytes behind base64 of gzip. */
export async function unzipped(text) {
    const packed = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Show `trainings`, of lab-data, in `place`: a slider over the epochs. */
export async function showGrowth(place, trainings) {
    const frames = await Promise.all(trainings.map(one => unzipped(one.frames)));
    if (frames.some((bytes, k) => bytes.length !== trainings[k].epochs.length * GARMENTS * 784))
        throw Error('damaged pictures of a training');
    const last = Math.max(...trainings.map(one => one.epochs.length)) - 1;
    place.innerHTML = `<div class="lab growth" role="group" aria-label="Through a training">
        <div class="growth-time"><button type="button" class="growth-play">Play</button>
            <label>epoch <output></output><input type="range" min="0" max="${last}" value="${last}"
                step="1"></label></div>
        ${trainings
            .map(
                () => `<section><h4></h4><div class="growth-row">${CANVAS.repeat(GARMENTS)}</div>
            <div class="growth-charts"></div></section>`,
            )
            .join('')}</div>`;
    const [slider, output, play] = ['input', 'output', 'button'].map(name => place.querySelector(name));
    const panels = [...place.querySelectorAll('section')].map((section, k) => panel(section, trainings[k], frames[k]));
    const show = () => {
        const at = Number(slider.value),
            epoch = trainings[0].epochs[at];
        output.textContent = epoch;
        slider.setAttribute('aria-valuetext', `epoch ${epoch}`);
        panels.forEach(draw => draw(at));
    };
    let timer = 0;
    const stop = () => {
        clearInterval(timer);
        timer = 0;
        play.textContent = 'Play';
    };
    play.addEventListener('click', () => {
        if (timer) return stop();
        if (Number(slider.value) === last) slider.value = 0;
        play.textContent = 'Stop';
        show();
        timer = setInterval(() => {
            slider.value = Number(slider.value) + 1;
            show();
            if (Number(slider.value) === last) stop();
        }, 350);
    });
    slider.addEventListener('input', () => {
        if (timer) stop();
        show();
    });
    show();
}

/** A training in `section`; gives a function that shows its epoch number `at`, counted from 0. */
function panel(section, training, bytes) {
    const {title, epochs, scores, losses} = training,
        canvases = [...section.querySelectorAll('canvas')];
    section.querySelector('h4').textContent = title;
    canvases.forEach((canvas, k) => {
        canvas.setAttribute('role', 'img');
        canvas.setAttribute('aria-label', `garment ${k + 1}`);
    });
    const epoch = scores.map(row => row.epoch),
        column = name => scores.map(row => row[name]);
    const charts = [
        chart('Fréchet distance', epochs, [['', epoch, column('frechet')]], 0),
        chart(
            'precision and recall',
            epochs,
            [
                ['precision', epoch, column('precision')],
                ['recall', epoch, column('recall')],
            ],
            0,
            1,
        ),
        chart('losses', epochs, [
            ['generator', epochs, losses.g],
            ['discriminator', epochs, losses.d],
        ]),
    ];
    section.querySelector('.growth-charts').append(...charts.map(one => one.node));
    return at => {
        const index = Math.min(at, epochs.length - 1);
        canvases.forEach((canvas, k) =>
            paint(canvas, bytes.subarray((index * GARMENTS + k) * 784, (index * GARMENTS + k + 1) * 784)),
        );
        charts.forEach(one => one.mark(epochs[index]));
    };
}

/** A small chart of `series`, [[name, x, y], ...], over `epochs`: {node, mark}; `mark` moves its line to an epoch. */
function chart(title, epochs, series, low = null, high = null) {
    const values = series.flatMap(([, , y]) => y),
        [bottom, top] = [low ?? Math.min(...values), high ?? Math.max(...values) * 1.05];
    const x = epoch => 4 + ((WIDE - 8) * (epoch - epochs[0])) / Math.max(1, epochs.at(-1) - epochs[0]);
    const y = value => 4 + (TALL - 8) * (1 - (value - bottom) / Math.max(1e-9, top - bottom));
    const node = document.createElement('figure');
    node.innerHTML = `<figcaption><span></span> <output></output></figcaption>
        <svg viewBox="0 0 ${WIDE} ${TALL}" aria-hidden="true" preserveAspectRatio="none"><path class="axis"
            d="M4 ${TALL - 4}H${WIDE - 4}"/>
        ${series.map(([, xs, ys], k) => `<path class="series s${k}"
            d="M${xs.map((at, i) => `${x(at).toFixed(1)} ${y(ys[i]).toFixed(1)}`).join('L')}"/>`).join('')}
        <path class="now"/></svg>`;
    node.querySelector('span').textContent = title;
    const now = node.querySelector('.now'),
        output = node.querySelector('output');
    const mark = epoch => {
        now.setAttribute('d', `M${x(epoch).toFixed(1)} 0V${TALL}`);
        output.replaceChildren(
            ...series.map(([name, xs, ys], k) => {
                const seen = xs.filter(at => at <= epoch).length - 1,
                    part = document.createElement('b');
                part.className = `s${k}`;
                part.textContent =
                    seen < 0
                        ? `${name} –`
                        : `${name} ${Number(ys[seen].toPrecision(3))}` +
                          (xs[seen] < epoch ? ` (epoch ${xs[seen]})` : '');
                return part;
            }),
        );
    };
    return {node, mark};
}
