// Pictures of 28 x 28 pixels, 784 numbers: on a canvas, from a file, and what is measured on them.
// Those of a network lie in [-1, 1]; grey levels are 0 to 255.

import {clipped} from './vectors.js';
import {say} from './words.js';

export const SIDE = 28;
export const PIXELS = SIDE * SIDE;
export const GREY = 127.5; // grey levels to one unit of a network's pixel
const LARGEST_FILE = 30e6, LARGEST_SIDE = 560;

/** Grey levels of a network's picture. */
export const levels = image => Float32Array.from(image, x => (x + 1) * GREY);

/** How far two pictures of a network are apart: root mean square per pixel, in grey levels. */
export const rms = (a, b) => Math.sqrt(a.reduce((sum, x, k) => sum + (x - b[k]) ** 2, 0) / a.length) * GREY;

/** Show 784 grey levels on a canvas of 28 x 28. */
export function paint(canvas, grey) {
    const context = canvas.getContext('2d'), picture = context.createImageData(SIDE, SIDE);
    grey.forEach((level, k) => picture.data.set([level, level, level, 255], 4 * k));
    context.putImageData(picture, 0, 0);
}

/** Show how a network's picture `now` differs from `base` on a canvas of 28 x 28: `colours` are 256 of red, green and
 *  blue, for changes from -1 to 1. */
export function paintChange(canvas, base, now, colours) {
    const context = canvas.getContext('2d'), picture = context.createImageData(SIDE, SIDE);
    now.forEach((x, k) => {
        const at = Math.floor(clipped(((x - base[k]) / 2 + 0.5) * 256, 0, 255));
        picture.data.set([...colours.subarray(3 * at, 3 * at + 3), 255], 4 * k);
    });
    context.putImageData(picture, 0, 0);
}

// ----- what is measured on a network's picture: labkit/pictures.py

/** Mean of the pixels, in grey levels. */
export const brightness = image => (image.reduce((sum, x) => sum + x, 0) / image.length + 1) * GREY;

/** Columns that hold some garment: pixels above a fifth of the 40th brightest, and above 16 grey levels. */
export function width(image) {
    const grey = levels(image), level = grey.slice().sort()[grey.length - 40];
    const limit = Math.max(Math.fround(0.2 * level), 16);
    return new Set([...grey.keys()].filter(k => grey[k] > limit).map(k => k % SIDE)).size;
}

// ----- a picture that the reader brings

/** The picture in `file` as 784 grey levels. Throws a line that can be shown. */
export async function fromFile(file) {
    if (file.size > LARGEST_FILE) throw Error(say('find.too_large'));
    const picture = await createImageBitmap(file).catch(() => {
        throw Error(say('find.no_picture'));
    });
    const scale = Math.min(1, LARGEST_SIDE / Math.max(picture.width, picture.height));
    const [wide, tall] = [picture.width, picture.height].map(side => Math.max(1, Math.round(side * scale)));
    const canvas = Object.assign(document.createElement('canvas'), {width: wide, height: tall});
    const context = canvas.getContext('2d', {willReadFrequently: true});
    context.fillStyle = '#fff'; // what is transparent is paper
    context.fillRect(0, 0, wide, tall);
    context.drawImage(picture, 0, 0, wide, tall);
    picture.close();
    const {data} = context.getImageData(0, 0, wide, tall);
    return fitted(Float32Array.from({length: wide * tall}, (_, k) =>
        0.299 * data[4 * k] + 0.587 * data[4 * k + 1] + 0.114 * data[4 * k + 2]), wide, tall);
}

// `grey`, wide x tall, as the data set has its garments: bright on black, as large as fits into 28 x 28, centred.
function fitted(grey, wide, tall) {
    const border = grey.filter((_, k) => k < wide || k >= wide * (tall - 1) || k % wide === 0 || k % wide === wide - 1);
    const paper = border.sort()[border.length >> 1], light = paper > GREY;
    const clean = grey.map(x => Math.max(0, (light ? paper - x : x - paper) - 8));
    const brightest = clean.reduce((a, b) => Math.max(a, b), 0);
    if (!(brightest > 8)) throw Error(say('find.empty'));
    const seen = [...clean.keys()].filter(k => clean[k] > brightest / 10);
    const span = places => [places.reduce((a, b) => Math.min(a, b)), places.reduce((a, b) => Math.max(a, b)) + 1];
    const [left, right] = span(seen.map(k => k % wide)), [top, bottom] = span(seen.map(k => Math.floor(k / wide)));
    const step = Math.max(right - left, bottom - top) / SIDE, gain = brightest < 200 ? 225 / brightest : 1;
    const [x, y] = [(left + right - SIDE * step) / 2, (top + bottom - SIDE * step) / 2];
    return Float32Array.from({length: PIXELS}, (_, k) =>
        gain * area(clean, wide, tall, x + (k % SIDE) * step, y + Math.floor(k / SIDE) * step, step));
}

// Mean of `grey` over a square of `side` at (x, y); 0 outside.
function area(grey, wide, tall, x, y, side) {
    let sum = 0;
    for (let j = Math.max(0, Math.floor(y)); j < Math.min(tall, y + side); j++) {
        const high = Math.min(j + 1, y + side) - Math.max(j, y);
        for (let i = Math.max(0, Math.floor(x)); i < Math.min(wide, x + side); i++)
            sum += grey[j * wide + i] * high * (Math.min(i + 1, x + side) - Math.max(i, x));
    }
    return sum / side / side;
}
