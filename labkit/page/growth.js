// Time: eight latent vectors through a training, with the scores and losses of the epoch.

import {canvas, element} from './parts.js';
import {PIXELS, paint} from './pictures.js';
import {GARMENTS} from './vectors.js';
import {Damaged, unzipped} from './weights.js';
import {say} from './words.js';

const WIDE = 300, TALL = 96; // of a chart, in units of its own

/** Show `trainings`, of lab-data, in `place`: a slider over the epochs of the longest. */
export async function showGrowth(place, trainings) {
    const frames = await Promise.all(trainings.map(one => unzipped(one.frames)));
    if (frames.some((bytes, k) => bytes.length !== trainings[k].epochs.length * GARMENTS * PIXELS))
        throw new Damaged('damaged pictures of a training');
    const {epochs} = trainings.reduce((a, b) => b.epochs.length > a.epochs.length ? b : a), last = epochs.length - 1;
    place.innerHTML = `<div class="lab growth" role="group" aria-label="${say('growth.name')}">
        <div class="growth-time"><button type="button" class="growth-play">${say('growth.play')}</button>
            <label>${say('growth.epoch')} <output></output><input type="range" min="0" max="${last}" value="${last}"
                step="1"></label></div>
        ${`<section><h4></h4><div class="growth-row">${canvas('').repeat(GARMENTS)}</div>
            <div class="growth-charts"></div></section>`.repeat(trainings.length)}</div>`;
    const [slider, output, play] = ['input', 'output', 'button'].map(name => place.querySelector(name));
    const panels = [...place.querySelectorAll('section')].map((section, k) => panel(section, trainings[k], frames[k]));
    const show = at => {
        slider.value = at;
        output.textContent = epochs[at];
        slider.setAttribute('aria-valuetext', say('growth.at', {k: epochs[at]}));
        panels.forEach(draw => draw(at));
    };
    let timer = 0;
    const stop = () => {
        clearInterval(timer);
        timer = 0;
        play.textContent = say('growth.play');
    };
    play.addEventListener('click', () => {
        if (timer) return stop();
        let at = Number(slider.value) % last; // from the end it begins anew
        play.textContent = say('growth.stop');
        show(at);
        timer = setInterval(() => {
            show(++at);
            if (at === last) stop();
        }, 350);
    });
    slider.addEventListener('input', () => {
        stop();
        show(Number(slider.value));
    });
    show(last);
}

/** A training in `section`; gives a function that shows its epoch number `at`, counted from 0. */
function panel(section, {title, epochs, scores, losses}, bytes) {
    const canvases = [...section.querySelectorAll('canvas')], looks = scores.map(row => row.epoch);
    const score = (name, text = '') => [text, looks, scores.map(row => row[name])];
    section.querySelector('h4').textContent = title;
    canvases.forEach((canvas, k) => {
        canvas.setAttribute('role', 'img');
        canvas.setAttribute('aria-label', say('growth.picture', {k: k + 1}));
    });
    const charts = [
        chart(say('growth.frechet'), epochs, [score('frechet')], 0),
        chart(say('growth.precision_recall'), epochs,
            ['precision', 'recall'].map(name => score(name, say(`growth.${name}`))), 0, 1),
        chart(say('growth.losses'), epochs,
            [[say('growth.generator'), epochs, losses.g], [say('growth.discriminator'), epochs, losses.d]]),
    ];
    section.querySelector('.growth-charts').append(...charts.map(one => one.node));
    return at => {
        const index = Math.min(at, epochs.length - 1), first = index * GARMENTS;
        canvases.forEach((canvas, k) => paint(canvas, bytes.subarray((first + k) * PIXELS, (first + k + 1) * PIXELS)));
        charts.forEach(one => one.mark(epochs[index]));
    };
}

/** A small chart of `series`, [[name, x, y], ...], over `epochs`: {node, mark}; `mark` moves its line to an epoch. */
function chart(title, epochs, series, low = null, high = null) {
    const values = series.flatMap(([, , y]) => y);
    const bottom = low ?? Math.min(...values), top = high ?? Math.max(...values) * 1.05;
    const x = epoch => 4 + (WIDE - 8) * (epoch - epochs[0]) / Math.max(1, epochs.at(-1) - epochs[0]);
    const y = value => 4 + (TALL - 8) * (1 - (value - bottom) / Math.max(1e-9, top - bottom));
    const path = (xs, ys) => `M${xs.map((at, i) => `${x(at).toFixed(1)} ${y(ys[i]).toFixed(1)}`).join('L')}`;
    const node = element('figure', {innerHTML: `<figcaption><span>${title}</span> <output></output></figcaption>
        <svg viewBox="0 0 ${WIDE} ${TALL}" aria-hidden="true" preserveAspectRatio="none"><path class="axis"
            d="M4 ${TALL - 4}H${WIDE - 4}"/>
        ${series.map(([, xs, ys], k) => `<path class="series s${k}" d="${path(xs, ys)}"/>`).join('')}
        <path class="now"/></svg>`});
    const mark = epoch => {
        node.querySelector('.now').setAttribute('d', `M${x(epoch).toFixed(1)} 0V${TALL}`);
        node.querySelector('output').replaceChildren(...series.map(([name, xs, ys], k) => {
            const seen = xs.filter(at => at <= epoch).length - 1;
            const x = seen < 0 ? '–' : Number(ys[seen].toPrecision(3));
            const text = say(xs[seen] < epoch ? 'growth.value_then' : 'growth.value', {name, x, k: xs[seen]});
            return element('b', {className: `s${k}`, textContent: text.trim()});
        }));
    };
    return {node, mark};
}
