// Latent vectors of the reader's own, as files and texts have them, and back: the rules of labkit/editor/own.py.

import {FAR} from './vectors.js';
import {say} from './words.js';

export const LARGEST = 1 << 23; // bytes
const MAGIC = '\u0093NUMPY';
const NUMBER = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)$/i;
const LINES = /\r\n?|[\n\v\f\u0085\u2028\u2029]/;

/** The vectors in `bytes`, a list of Float32Arrays of one length: a .npy file, a JSON list or recipe, or numbers with
 *  anything between them; of text, each line that has several numbers is a vector, numbers one a line are one. Throws a
 *  line that can be shown. */
export function readVectors(bytes) {
    if (bytes.length > LARGEST) throw Error(say('vector.too_large', {most: LARGEST >> 20}));
    if (String.fromCharCode(...bytes.subarray(0, 6)) === MAGIC) return matrix(arrayOf(bytes));
    let text;
    try {
        text = new TextDecoder('utf-8', {fatal: true}).decode(bytes).trim();
    } catch {
        throw Error(say('vector.no_text'));
    }
    if (/^[[{]/.test(text)) return matrix(listOf(text));
    const rows = text.split(LINES).filter(line => line.trim()).map(rowOf);
    return matrix(rows.every(row => row.length === 1) ? [rows.flat()] : rows);
}

/** `rows`, if there are at most `most` and each has `size` numbers. Throws a line that can be shown. */
export function fitting(rows, size, most) {
    if (rows[0].length !== size) throw Error(say('vector.count', {found: rows[0].length, size}));
    if (rows.length > most) throw Error(say('vector.many', {found: rows.length, most}));
    return rows;
}

/** `rows` as JSON, a list for one and a list of lists for several, from which they come back. */
export function written(rows) {
    const numbers = rows.map(row => [...row].map(x => Number(x.toPrecision(9))));
    return JSON.stringify(numbers.length === 1 ? numbers[0] : numbers);
}

// What a .npy file holds, of version 1 to 3: float32 or float64, little-endian, in C order.
function arrayOf(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const wide = bytes[6] > 1, start = wide ? 12 : 10;
    const length = bytes.length < start ? NaN : wide ? view.getUint32(8, true) : view.getUint16(8, true);
    if (!(start + length <= bytes.length)) throw Error(say('vector.cut'));
    const header = new TextDecoder().decode(bytes.subarray(start, start + length));
    const field = pattern => pattern.exec(header)?.[1];
    const kind = field(/'descr':\s*'([^']*)'/), inOrder = /'fortran_order':\s*False/.test(header);
    const shape = field(/'shape':\s*\(([^)]*)\)/)?.split(',').filter(part => part.trim()).map(Number);
    const size = {'<f4': 4, '<f8': 8}[kind];
    if (!size || !inOrder || !shape || ![1, 2].includes(shape.length) || !shape.every(Number.isInteger))
        throw Error(say('vector.kind'));
    const [count, across] = shape.length === 1 ? [1, ...shape] : shape, first = start + length;
    if (first + count * across * size > bytes.length) throw Error(say('vector.cut'));
    const read = at => size === 4 ? view.getFloat32(at, true) : view.getFloat64(at, true);
    return Array.from({length: count}, (_, i) =>
        Array.from({length: across}, (__, k) => read(first + size * (i * across + k))));
}

// What JSON has in `text`, of a recipe its z; or lists as NumPy prints them, without commas.
function listOf(text) {
    let found;
    try {
        found = JSON.parse(text);
    } catch {
        const rows = text.split(']'), rest = rows.pop();
        if (text.split('[').length - 1 !== rows.length || rest.trim()) throw Error(say('vector.brackets'));
        return rows.map(rowOf).filter(row => row.length);
    }
    const list = Array.isArray(found) ? found : found.z;
    return Array.isArray(list) && list.length && !Array.isArray(list[0]) ? [list] : list;
}

// The numbers of a line, whatever stands between them.
function rowOf(line) {
    const words = line.replace(/[,;[\]()]/g, ' ').trim().split(/\s+/).filter(Boolean);
    const plain = word => word.replace(/(?<=\d)_(?=\d)/g, '');
    if (!words.every(word => NUMBER.test(plain(word))))
        throw Error(say('vector.words', {text: line.trim().slice(0, 40)}));
    return words.map(word => Number(plain(word))); // of nan and inf, in whatever letters, something that is refused
}

// `rows` as vectors, if they are lists of as many numbers each that the page can draw.
function matrix(rows) {
    const lists = Array.isArray(rows) && rows.every(row => Array.isArray(row) && row.length === rows[0].length &&
        row.every(x => typeof x === 'number'));
    if (!lists) throw Error(say('vector.no_list'));
    if (!rows.length || !rows[0].length) throw Error(say('vector.none'));
    if (!rows.flat().every(x => Math.abs(x) <= FAR)) throw Error(say('vector.no_number', {far: Math.floor(FAR)}));
    return rows.map(row => Float32Array.from(row));
}
