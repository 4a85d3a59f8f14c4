// From a picture back to its vector: the search of labkit.latent.invert, whose constants come with the page.

import {PIXELS, rms} from './pictures.js';

/** The vector whose picture is nearest to `target` (784): {z, rms, image}. Adam (Kingma and Ba 2015) on the mean
 *  squared difference, from the best of `starts` (k * latentDim), the step size falling along half a cosine, no vector
 *  longer than most of N(0, I). `constants` are lab-data's `search`. Tells onStep(step, best rms from each start, the
 *  best of all so far); `signal` ends it with an AbortError. */
export async function invert(generator, target, {starts, constants, onStep = () => {}, signal}) {
    if (target.length !== PIXELS) throw RangeError(`a picture of ${target.length} numbers: give ${PIXELS}`);
    const {latentDim: d, sample, trace} = generator, {kept, steps, rate, longest} = constants;
    const z = nearest(await sample(starts), target, kept, starts, d), rows = z.length / d;
    const adam = makeAdam(z.length, constants), bests = Array.from({length: rows}, () => ({rms: Infinity}));
    const best = () => bests.reduce((a, b) => b.rms < a.rms ? b : a);
    for (let step = 0; step <= steps; step++) {
        signal?.throwIfAborted();
        const [images, back] = await trace(z.slice(), rows);
        bests.forEach((old, i) => {
            const image = images.slice(i * PIXELS, (i + 1) * PIXELS), off = rms(image, target);
            if (off < old.rms) bests[i] = {z: z.slice(i * d, (i + 1) * d), rms: off, image};
        });
        const slope = await back(images.map((x, i) => 2 / PIXELS * (x - target[i % PIXELS])));
        onStep(step, bests.map(b => b.rms), best());
        if (step < steps) {
            adam(z, slope, rate * (1 + Math.cos(Math.PI * step / steps)) / 2);
            shorten(z, d, longest * Math.sqrt(d));
        }
        await new Promise(resolve => setTimeout(resolve)); // let the page draw
    }
    return best();
}

// The `kept` of `starts`, of `d` numbers each, whose `images` are nearest to `target`, the nearest first.
function nearest(images, target, kept, starts, d) {
    const errors = Array.from({length: starts.length / d}, (_, i) =>
        [rms(images.subarray(i * PIXELS, (i + 1) * PIXELS), target), i]);
    const chosen = errors.sort((a, b) => a[0] - b[0]).slice(0, kept);
    return Float32Array.from(chosen.flatMap(([, i]) => [...starts.subarray(i * d, (i + 1) * d)]));
}

// Adam on `n` numbers: (values, slopes, step size) changes the values.
function makeAdam(n, {beta1, beta2, eps}) {
    const m = new Float32Array(n), v = new Float32Array(n);
    let t = 0;
    return (values, slopes, rate) => {
        t++;
        for (let i = 0; i < n; i++) {
            m[i] = beta1 * m[i] + (1 - beta1) * slopes[i];
            v[i] = beta2 * v[i] + (1 - beta2) * slopes[i] ** 2;
            values[i] -= rate * m[i] / (1 - beta1 ** t) / (Math.sqrt(v[i] / (1 - beta2 ** t)) + eps);
        }
    };
}

// Every row of `z`, of `d` numbers, no longer than `longest`.
function shorten(z, d, longest) {
    for (let at = 0; at < z.length; at += d) {
        const row = z.subarray(at, at + d), length = Math.hypot(...row);
        if (length > longest) row.forEach((value, i) => { row[i] = value * longest / length; });
    }
}
