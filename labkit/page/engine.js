// The mathematics in the page: a generator, its inverse, and the classifier, from the weights that export.py wrote.
// No DOM in here. Pictures are Float32Array in [-1, 1], 784 numbers each; vectors are rows of latentDim numbers.
//
// jax-js counts references: a function takes over the arrays that it is given, and `x.ref` lends one more. So every
// weight is passed as `.ref`, and what a function was given is gone after it.
import { init, defaultDevice, jit, nn, numpy as np, vjp } from "./vendor/jax-js/index.js";

const BATCH = 8;  // vectors or pictures in one go; every function is compiled for this many, and for one
const PIXELS = 784;
const SIMD = Uint8Array.of(  // a module that is valid only where there are vector instructions
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

// ---------------------------------------------------------------- what the page brings

// null, or why this browser cannot run the generator.
export function supported() {
  if (typeof WebAssembly === "undefined" || !WebAssembly.validate(SIMD))
    return "This browser has no WebAssembly with vector instructions: Chromium or Firefox of 2023 or Safari 16.4 has.";
  if (typeof DecompressionStream === "undefined" || !Array.prototype.toReversed)
    return "This browser cannot unpack the weights (no DecompressionStream): Firefox 115 or Safari 16.4 can.";
  return null;
}

// The weights in a payload of export.py: base64, gzip, half precision with all high bytes before all low bytes.
export async function readWeights(text, sha256Hex) {
  let bytes;
  try {
    const packed = new Blob([fromBase64(text.trim())]).stream().pipeThrough(new DecompressionStream("gzip"));
    bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  } catch (fault) {
    throw new Error(`damaged weights: they cannot be unpacked (${fault.message})`);
  }
  const found = await sha256(bytes);
  if (found !== sha256Hex)
    throw new Error(`damaged weights: SHA-256 ${found.slice(0, 12)} where ${sha256Hex.slice(0, 12)} was written`);
  return halves(bytes);
}

function fromBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const characters = atob(text), bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

// Numbers in half precision: n high bytes (sign, five bits of exponent, two of mantissa), then n low bytes.
function halves(bytes) {
  const n = bytes.length / 2, out = new Float32Array(n), table = new Float32Array(65536);
  for (let h = 0; h < 65536; h++) {
    const exponent = h >> 10 & 31, mantissa = h & 1023;
    const size = exponent ? (1 + mantissa / 1024) * 2 ** (exponent - 15) : mantissa * 2 ** -24;
    table[h] = h >> 15 ? -size : size;
  }
  for (let i = 0; i < n; i++) out[i] = table[bytes[i] << 8 | bytes[n + i]];
  return out;
}

async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) return sha256Plain(bytes);  // plain http has none
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(hash), b => b.toString(16).padStart(2, "0")).join("");
}

// FIPS 180-4, section 6.2.
export function sha256Plain(bytes) {
  const [constants, start] = roots();
  const blocks = (bytes.length + 72) >> 6, padded = new Uint8Array(blocks * 64), view = new DataView(padded.buffer);
  padded.set(bytes);
  padded[bytes.length] = 128;
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const hash = Int32Array.from(start), w = new Int32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    for (let t = 0; t < 16; t++) w[t] = view.getInt32(at + 4 * t);
    for (let t = 16; t < 64; t++) {
      const a = w[t - 15], b = w[t - 2];
      const s0 = (a >>> 7 | a << 25) ^ (a >>> 18 | a << 14) ^ a >>> 3;
      const s1 = (b >>> 17 | b << 15) ^ (b >>> 19 | b << 13) ^ b >>> 10;
      w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = hash;
    for (let t = 0; t < 64; t++) {
      const s1 = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
      const one = h + s1 + (e & f ^ ~e & g) + constants[t] + w[t] | 0;
      const s0 = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
      const two = s0 + (a & b ^ a & c ^ b & c) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, d + one | 0, c, b, a, one + two | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => { hash[i] += value; });
  }
  return Array.from(hash, v => (v >>> 0).toString(16).padStart(8, "0")).join("");
}

// The first 32 bits behind the point of the cube roots of the first 64 primes, and of the square roots of the first 8.
function roots() {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every(p => n % p)) primes.push(n);
  const fraction = x => (x - Math.floor(x)) * 2 ** 32 | 0;
  return [primes.map(p => fraction(Math.cbrt(p))), primes.slice(0, 8).map(p => fraction(Math.sqrt(p)))];
}

// ---------------------------------------------------------------- layers

// A step of a layer, f(x, ...weights), compiled for each shape that it meets; `pull` is its transpose: from the slope of
// an error with f's result to that with x.
function step(f) {
  const pull = jit((slope, x, ...weights) => {
    const [result, back] = vjp(x => f(x, ...weights), [x]);
    result.dispose();
    return back(slope)[0];
  });
  return { run: jit(f), pull };
}

// Always a step of its own: compiled together with what makes its input, a matrix product is ten times slower.
const product = step((x, W) => np.matmul(x.reshape([x.size / W.shape[0], W.shape[0]]), W));

function activate(x, layer) {
  if (layer.act === "leaky") return nn.leakyRelu(x, layer.slope);
  if (layer.act === "relu") return nn.relu(x);
  if (layer.act === "tanh") return np.tanh(x);
  if (layer.act === "hardtanh") return np.clip(x, -1, 1);
  return x;
}

const withBias = layer => step((y, b) => {
  const pixels = layer.kind === "conv" ? (layer.size / layer.stride) ** 2 : 1;
  return activate(y.add(b), layer).reshape([y.shape[0] / pixels, pixels * layer.out]);
});

// The nine products of a 3x3 convolution are one matrix product, (pixels, in) x (in, 9 out). This moves them to where
// they belong and adds them up, along the width and then along the height.
const spread = layer => step((T, b) => {
  const { size: n, up, out } = layer, batch = T.shape[0] / (n * n), m = up ? 2 * n : n;
  const taps = T.reshape([batch, n, n, 3, 3, out]);
  const rows = [0, 1, 2].map(i => meet([0, 1, 2].map(j => taps.ref.slice([], [], [], i, j)), 2, up));
  taps.dispose();
  return activate(meet(rows, 1, up).add(b), layer).reshape([batch, m * m * out]);
});

// Three taps (batch, height, width, channels) of a kernel along `axis`, each moved to its place and added. With `up` the
// axis is doubled first: an even place sees the one before once and its own twice, an odd one its own twice and the next.
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

// The nine shifted inputs of a convolution side by side, (pixels, in 9): cheaper than `spread` where the result is small.
const gather = layer => step(x => {
  const { size: n, stride, in: channels } = layer, batch = x.shape[0], m = n / stride;
  const padded = np.pad(x.reshape([batch, n, n, channels]), [[0, 0], [1, 1], [1, 1], [0, 0]]), shifted = [];
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) {
    const part = padded.ref.slice([], [i, i + n], [j, j + n], []);
    shifted.push(part.reshape([batch, m, stride, m, stride, channels]).slice([], [], 0, [], 0, []));
  }
  padded.dispose();
  return np.stack(shifted, 4).reshape([batch * m * m, channels * 9]);
});

const largest = ({ size, in: channels }) => step(x => {
  const m = size / 2;
  return np.max(x.reshape([x.shape[0], m, 2, m, 2, channels]), [2, 4]).reshape([x.shape[0], m * m * channels]);
});

const mean = ({ size, in: channels }) => step(x => np.mean(x.reshape([x.shape[0], size ** 2, channels]), 1));

// The steps of a layer, each with its weights; `take(rows, columns)` gives the next ones.
function stepsOf(layer, take) {
  if (layer.kind === "add") return [];
  if (layer.kind === "pool") return [[largest(layer)]];
  if (layer.kind === "mean") return [[mean(layer)]];
  if (layer.kind === "dense") return [[product, take(layer.in, layer.out)], [withBias(layer), take(layer.out)]];
  if (layer.up || layer.out === 1) return [[product, take(layer.in, 9 * layer.out)], [spread(layer), take(layer.out)]];
  return [[gather(layer)], [product, take(layer.in * 9, layer.out)], [withBias(layer), take(layer.out)]];
}

// A network of the layers that export.py wrote: forward, and back.
async function build(layers, numbers) {
  await init("wasm");
  defaultDevice("wasm");
  let at = 0;
  const take = (...shape) => {
    const part = numbers.slice(at, at += shape.reduce((a, b) => a * b));
    if (at > numbers.length) throw new Error(`damaged weights: ${numbers.length} numbers are too few`);
    return np.array(part).reshape(shape);
  };
  const steps = layers.map(layer => stepsOf(layer, take));
  if (at < numbers.length) throw new Error(`damaged weights: ${numbers.length} numbers are too many`);
  const lend = weights => weights.map(w => w.ref);

  // x (batch, in) -> (batch, out). What every step was given is kept in `trail`, for `back`.
  function forward(x, trail) {
    const values = [x];
    layers.forEach((layer, i) => {
      let value = values[layer.from].ref;
      for (const [{ run }, ...weights] of steps[i]) {
        trail?.push(value.ref);
        value = run(value, ...lend(weights));
      }
      if (layer.kind === "add") value = value.add(values[layer.with].ref);
      values.push(value);
    });
    const result = values.pop();
    values.forEach(value => value.dispose());
    return result;
  }

  // The slope with the result -> the slope with x.
  function back(slope, trail) {
    const slopes = [];
    const gain = (i, more) => { slopes[i] = slopes[i] ? slopes[i].add(more) : more; };
    gain(layers.length, slope);
    for (let i = layers.length; i--;) {
      const layer = layers[i];
      let value = slopes.pop();
      if (layer.kind === "add") gain(layer.with, value.ref);
      for (const [{ pull }, ...weights] of steps[i].slice().reverse()) value = pull(value, trail.pop(), ...lend(weights));
      gain(layer.from, value);
    }
    return slopes.pop();
  }

  return { forward, back };
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

// network: an entry of lab-data's `networks`; numbers: from readWeights.
export async function makeGenerator(network, numbers) {
  const latentDim = network.layers[0].in, net = await build(network.layers, numbers);
  const sample = z => inBatches(net.forward, z, latentDim, PIXELS);
  await sample(new Float32Array(BATCH * latentDim));  // compiles; for one vector alone a moment later
  setTimeout(() => sample(new Float32Array(latentDim)));
  return { latentDim, sample, invert: (target, options) => invert(net, sample, latentDim, target, options) };
}

export async function makeClassifier(entry, numbers) {
  const { forward } = await build(entry.layers, numbers), classes = entry.layers.at(-1).out;
  const classify = async images => {
    const logits = await inBatches(forward, images, PIXELS, classes);
    for (let at = 0; at < logits.length; at += classes) softmax(logits.subarray(at, at + classes));
    return logits;
  };
  await classify(new Float32Array(BATCH * PIXELS));  // compiles
  return { classify };
}

function softmax(row) {
  const top = Math.max(...row);
  let total = 0;
  for (let i = 0; i < row.length; i++) total += row[i] = Math.exp(row[i] - top);
  for (let i = 0; i < row.length; i++) row[i] /= total;
}

// ---------------------------------------------------------------- from a picture back to its vector

const GREY = 127.5;  // grey levels to one unit of a pixel

// The search of labkit.latent.invert, with its constants.
const KEPT = 2, STEPS = 120, RATE = 0.1, BETA1 = 0.8, BETA2 = 0.9, EPS = 1e-8;

// The vector whose picture is nearest to `target` (784): Adam on the mean squared difference, from the KEPT best of
// `starts` (k * latentDim), the step size falling along half a cosine, no vector longer than most of N(0, I).
// Tells onStep(step, best rms from each start, the best of all so far); `signal` ends it with an AbortError.
async function invert(net, sample, latentDim, target, { starts, steps = STEPS, onStep = () => {}, signal } = {}) {
  if (target.length !== PIXELS) throw new Error(`a picture of ${target.length} numbers: give ${PIXELS}`);
  const z = await nearest(sample, latentDim, target, starts), rows = z.length / latentDim, adam = makeAdam(z.length);
  const bests = Array.from({ length: rows }, () => ({ rms: Infinity }));
  const best = () => bests.reduce((a, b) => b.rms < a.rms ? b : a);
  for (let step = 0; step <= steps; step++) {
    signal?.throwIfAborted();
    const trail = [], images = await net.forward(np.array(z.slice()).reshape([rows, latentDim]), trail).data();
    for (let i = 0; i < rows; i++) {
      const image = images.slice(i * PIXELS, (i + 1) * PIXELS), rms = rmsOf(image, target);
      if (rms < bests[i].rms) bests[i] = { z: z.slice(i * latentDim, (i + 1) * latentDim), rms, image };
    }
    const slope = await net.back(slopeOf(images, target).reshape([rows, PIXELS]), trail).data();
    onStep(step, bests.map(b => b.rms), best());
    if (step < steps) {
      adam(z, slope, RATE * (1 + Math.cos(Math.PI * step / steps)) / 2);
      shorten(z, latentDim);
    }
    await new Promise(resolve => setTimeout(resolve));  // let the page draw
  }
  return best();
}

// The KEPT of `starts` whose pictures are nearest to `target`, the nearest first.
async function nearest(sample, latentDim, target, starts) {
  const images = await sample(starts), errors = [];
  for (let i = 0; i * PIXELS < images.length; i++) {
    errors.push([rmsOf(images.subarray(i * PIXELS, (i + 1) * PIXELS), target), i]);
  }
  const kept = errors.sort((a, b) => a[0] - b[0]).slice(0, KEPT).map(([, i]) => i), z = [];
  for (const i of kept) z.push(...starts.subarray(i * latentDim, (i + 1) * latentDim));
  return Float32Array.from(z);
}

function rmsOf(image, target) {
  let sum = 0;
  for (let p = 0; p < PIXELS; p++) sum += (image[p] - target[p]) ** 2;
  return Math.sqrt(sum / PIXELS) * GREY;
}

// The slope of every picture's mean squared difference to `target` with its pixels.
function slopeOf(images, target) {
  return np.array(images.map((value, i) => 2 / PIXELS * (value - target[i % PIXELS])));
}

// Adam (Kingma and Ba 2015) on `n` numbers: (values, slopes, step size) changes the values.
function makeAdam(n) {
  const m = new Float32Array(n), v = new Float32Array(n);
  let t = 0;
  return (values, slopes, rate) => {
    t++;
    for (let i = 0; i < n; i++) {
      m[i] = BETA1 * m[i] + (1 - BETA1) * slopes[i];
      v[i] = BETA2 * v[i] + (1 - BETA2) * slopes[i] ** 2;
      values[i] -= rate * m[i] / (1 - BETA1 ** t) / (Math.sqrt(v[i] / (1 - BETA2 ** t)) + EPS);
    }
  };
}

// Every row of `z` no longer than 1.2 times the usual length of N(0, I), by its length alone.
function shorten(z, latentDim) {
  for (let at = 0; at < z.length; at += latentDim) {
    const row = z.subarray(at, at + latentDim), length = Math.hypot(...row), longest = 1.2 * Math.sqrt(latentDim);
    if (length > longest) row.forEach((value, i) => { row[i] = value * longest / length; });
  }
}
