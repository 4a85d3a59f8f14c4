// The mathematics in the page: a generator, its inverse, and the classifier, from the weights that export.py wrote.
// No DOM in here. Pictures are Float32Array in [-1, 1], 784 numbers each; vectors are rows of latentDim numbers.
//
// jax-js counts references: a function takes over the arrays that it is given, and `x.ref` lends one more. So every
// weight is passed as `.ref`, and what a function was given is gone after it.
import {init, defaultDevice, jit, nn, numpy as np, vjp} from './vendor/jax-js/index.js';
import {PIXELS} from './pictures.js';
import {invert} from './search.js';
import {Damaged} from './weights.js';

const BATCH = 8; // vectors or pictures in one go; every function is compiled for this many, and for one

// ---------------------------------------------------------------- layers

// A step of a layer, f(x, ...weights), compiled for each shape that it meets; `pull` is its transpose: from the slope
// of an error with f's result to that with x.
function step(f) {
    const pull = jit((slope, x, ...weights) => {
        const [result, back] = vjp(x => f(x, ...weights), [x]);
        result.dispose();
        return back(slope)[0];
    });
    return {run: jit(f), pull};
}

// Always a step of its own: compiled together with what makes its input, a matrix product is ten times slower.
const product = step((x, W) => np.matmul(x.reshape([x.size / W.shape[0], W.shape[0]]), W));

function activate(x, layer) {
    if (layer.act === 'leaky') return nn.leakyRelu(x, layer.slope);
    if (layer.act === 'relu') return nn.relu(x);
    if (layer.act === 'tanh') return np.tanh(x);
    if (layer.act === 'hardtanh') return np.clip(x, -1, 1);
    return x;
}

const withBias = layer => step((y, b) => {
    const pixels = layer.kind === 'conv' ? (layer.size / layer.stride) ** 2 : 1;
    return activate(y.add(b), layer).reshape([y.shape[0] / pixels, pixels * layer.out]);
});

// The nine products of a 3x3 convolution are one matrix product, (pixels, in) x (in, 9 out). This moves them to where
// they belong and adds them up, along the width and then along the height.
const spread = layer => step((T, b) => {
    const {size: n, up, out} = layer, batch = T.shape[0] / (n * n), m = up ? 2 * n : n;
    const taps = T.reshape([batch, n, n, 3, 3, out]);
    const rows = [0, 1, 2].map(i => meet([0, 1, 2].map(j => taps.ref.slice([], [], [], i, j)), 2, up));
    taps.dispose();
    return activate(meet(rows, 1, up).add(b), layer).reshape([batch, m * m * out]);
});

// Three taps (batch, height, width, channels) of a kernel along `axis`, each moved to its place and added. With `up`
// the axis is doubled first: an even place sees the one before once and its own twice, an odd one its own twice and
// the next.
function meet([before, here, after], axis, up) {
    const shape = here.shape, n = shape[axis];
    const cut = (from, to) => shape.map((_, i) => i === axis ? [from, to] : []);
    const pad = (left, right) => shape.map((_, i) => i === axis ? [left, right] : [0, 0]);
    const fromBefore = np.pad(before.ref.slice(...cut(0, n - 1)), pad(1, 0));
    const fromAfter = np.pad(after.ref.slice(...cut(1, n)), pad(0, 1));
    if (!up) {
        before.dispose();
        after.dispose();
        return fromBefore.add(here).add(fromAfter);
    }
    const even = fromBefore.add(here.ref).add(after), odd = before.add(here).add(fromAfter);
    return np.stack([even, odd], axis + 1).reshape(shape.map((s, i) => i === axis ? 2 * s : s));
}

// The nine shifted inputs of a convolution side by side, (pixels, in 9): cheaper than `spread` where the result is
// small.
const gather = layer => step(x => {
    const {size: n, stride, in: channels} = layer, batch = x.shape[0], m = n / stride;
    const padded = np.pad(x.reshape([batch, n, n, channels]), [[0, 0], [1, 1], [1, 1], [0, 0]]), shifted = [];
    for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) {
        const part = padded.ref.slice([], [i, i + n], [j, j + n], []);
        shifted.push(part.reshape([batch, m, stride, m, stride, channels]).slice([], [], 0, [], 0, []));
    }
    padded.dispose();
    return np.stack(shifted, 4).reshape([batch * m * m, channels * 9]);
});

const largest = ({size, in: channels}) => step(x => {
    const m = size / 2;
    return np.max(x.reshape([x.shape[0], m, 2, m, 2, channels]), [2, 4]).reshape([x.shape[0], m * m * channels]);
});

const mean = ({size, in: channels}) => step(x => np.mean(x.reshape([x.shape[0], size ** 2, channels]), 1));

// The steps of a layer, each with its weights; `take(rows, columns)` gives the next ones.
function stepsOf(layer, take) {
    if (layer.kind === 'add') return [];
    if (layer.kind === 'pool') return [[largest(layer)]];
    if (layer.kind === 'mean') return [[mean(layer)]];
    if (layer.kind === 'dense') return [[product, take(layer.in, layer.out)], [withBias(layer), take(layer.out)]];
    if (layer.up || layer.out === 1)
        return [[product, take(layer.in, 9 * layer.out)], [spread(layer), take(layer.out)]];
    return [[gather(layer)], [product, take(layer.in * 9, layer.out)], [withBias(layer), take(layer.out)]];
}

// A network of the layers that export.py wrote: forward, and back.
async function build(layers, numbers) {
    await init('wasm');
    defaultDevice('wasm');
    let at = 0;
    const take = (...shape) => {
        const part = numbers.slice(at, at += shape.reduce((a, b) => a * b));
        if (at > numbers.length) throw new Damaged(`damaged weights: ${numbers.length} numbers are too few`);
        return np.array(part).reshape(shape);
    };
    const steps = layers.map(layer => stepsOf(layer, take));
    if (at < numbers.length) throw new Damaged(`damaged weights: ${numbers.length} numbers are too many`);
    const lend = weights => weights.map(w => w.ref);

    // x (batch, in) -> (batch, out). What every step was given is kept in `trail`, for `back`.
    function forward(x, trail) {
        const values = [x];
        layers.forEach((layer, i) => {
            let value = values[layer.from].ref;
            for (const [{run}, ...weights] of steps[i]) {
                trail?.push(value.ref);
                value = run(value, ...lend(weights));
            }
            if (layer.kind === 'add') value = value.add(values[layer.with].ref);
            values.push(value);
        });
        const result = values.pop();
        values.forEach(value => value.dispose());
        return result;
    }

    // The slope with the result -> the slope with x.
    function back(slope, trail) {
        const slopes = [];
        const gain = (i, more) => {slopes[i] = slopes[i] ? slopes[i].add(more) : more; };
        gain(layers.length, slope);
        for (let i = layers.length; i--;) {
            const layer = layers[i];
            let value = slopes.pop();
            if (layer.kind === 'add') gain(layer.with, value.ref);
            for (const [{pull}, ...weights] of steps[i].toReversed())
                value = pull(value, trail.pop(), ...lend(weights));
            gain(layer.from, value);
        }
        return slopes.pop();
    }

    return {forward, back};
}

// `f` on rows of `width` numbers: one alone, else BATCH at a time, with zeros in the places that are left.
async function inBatches(f, rows, width, widthOut) {
    const n = rows.length / width, batch = n === 1 ? 1 : BATCH, out = new Float32Array(n * widthOut);
    for (let first = 0; first < n; first += batch) {
        const part = new Float32Array(batch * width), some = Math.min(batch, n - first);
        part.set(rows.subarray(first * width, (first + some) * width));
        const result = await f(np.array(part).reshape([batch, width])).data();
        out.set(result.subarray(0, some * widthOut), first * widthOut);
    }
    return out;
}

// ---------------------------------------------------------------- networks

/** A generator; `network` is an entry of lab-data's `networks`, `numbers` are from `readWeights`. */
export async function makeGenerator(network, numbers) {
    const latentDim = network.layers[0].in, net = await build(network.layers, numbers);
    const sample = z => inBatches(net.forward, z, latentDim, PIXELS);
    await sample(new Float32Array(BATCH * latentDim)); // compiles; for one vector alone a moment later
    setTimeout(() => sample(new Float32Array(latentDim)));
    // The pictures of `rows` vectors, and what takes the slope of an error with them back to that with the vectors.
    const trace = async (z, rows) => {
        const trail = [], images = await net.forward(np.array(z).reshape([rows, latentDim]), trail).data();
        return [images, slope => net.back(np.array(slope).reshape([rows, PIXELS]), trail).data()];
    };
    return {latentDim, sample, invert: (target, options) => invert({latentDim, sample, trace}, target, options)};
}

/** The classifier; `entry` is lab-data's `classifier`. */
export async function makeClassifier(entry, numbers) {
    const {forward} = await build(entry.layers, numbers), count = entry.layers.at(-1).out;
    const classify = async images => {
        const logits = await inBatches(forward, images, PIXELS, count);
        for (let at = 0; at < logits.length; at += count) softmax(logits.subarray(at, at + count));
        return logits;
    };
    await classify(new Float32Array(BATCH * PIXELS)); // compiles
    return {count, classify};
}

function softmax(row) {
    const top = Math.max(...row);
    let total = 0;
    for (let i = 0; i < row.length; i++) total += row[i] = Math.exp(row[i] - top);
    for (let i = 0; i < row.length; i++) row[i] /= total;
}
