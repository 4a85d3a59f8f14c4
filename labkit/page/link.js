// The state as the fragment of a link: lab=1&g=<generator>&c=<chosen>&m=<mode>&r=<rows>&v=<vectors>.

import {Lab} from './lab.js';
import {EVERY, FAR, GRID, onGrid, same} from './vectors.js';
import {say} from './words.js';

const FORMAT = '1';
const LONGEST = 20000; // characters
const FULL = 2, SOME = 1; // flags of a garment: all numbers of z follow, or those that differ from its base, counted;
const OWN = 4, BASE_EXACT = 8, EXACT = 16; // its base is its own; base, and z, are float32 rather than on the grid

/** The fragment of a link to the present state of `lab`. */
export function linkOf(lab) {
    return String(new URLSearchParams({
        lab: FORMAT,
        g: lab.network.generator_sha256.slice(0, 12),
        c: lab.chosen.reduce((mask, row) => mask | 1 << row, 0).toString(16),
        m: lab.mode,
        r: lab.rows.filter(dim => !lab.extra.has(dim)).join(),
        v: btoa(String.fromCharCode(...EVERY.flatMap(row => packed(lab, row))))
            .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, ''),
    }));
}

// Garment `row` as bytes: its flags, its base where that is its own, and what differs from it.
function packed(lab, row) {
    const base = lab.vector(row, lab.base), z = lab.vector(row), bytes = [];
    const short = x => bytes.push(Math.round(x * GRID) & 255, Math.round(x * GRID) >> 8 & 255);
    const exact = x => bytes.push(...new Uint8Array(Float32Array.of(x).buffer));
    const own = !same(base, lab.data.base.z[row].map(Math.fround)), rough = own && !same(base, base.map(onGrid));
    const changed = [...z.keys()].filter(k => z[k] !== base[k]);
    const full = changed.length > z.length / 2 || changed.length && z.length > 255;
    const odd = changed.some(k => z[k] !== Math.fround(base[k] + onGrid(z[k] - base[k])));
    bytes.push((full ? FULL : changed.length ? SOME : 0) | own * OWN | rough * BASE_EXACT | odd * EXACT);
    if (own) base.forEach(rough ? exact : short);
    if (changed.length && !full) bytes.push(changed.length);
    for (const k of full ? z.keys() : changed) {
        if (!full) bytes.push(k);
        if (odd) exact(z[k]);
        else short(z[k] - base[k]);
    }
    return bytes;
}

/** The state that `fragment` keeps, for `Lab.take`. Throws a line that can be shown. */
export function readLink(data, fragment) {
    if (fragment.length > LONGEST) throw Error(say('link.too_long'));
    const fields = new URLSearchParams(fragment), field = name => fields.get(name) || '';
    if (field('lab') !== FORMAT) throw Error(say('link.version'));
    const asked = field('g'), mode = field('m'), mask = parseInt(field('c'), 16), next = new Lab(data);
    next.index = data.networks.findIndex(one => asked.length >= 8 && one.generator_sha256.startsWith(asked));
    if (next.index < 0) throw Error(say('link.network'));
    const rows = field('r').split(',').filter(Boolean).map(dim => /^\d+$/.test(dim) ? Number(dim) : dim);
    const sound = /^(shift|set)$/.test(mode) && mask >= 1 && mask <= 255 &&
        rows.length <= data.recipe.sliders && rows.every(dim => next.knows(dim));
    if (!sound || !unpack(next, field('v'))) throw Error(say('link.damaged'));
    const chosen = EVERY.filter(row => mask >> row & 1);
    return {index: next.index, mode, chosen, rows: [...new Set(rows)], base: next.base, z: next.z, extra: new Map()};
}

// Put the vectors that `text` keeps into `lab`; false if these are none.
function unpack(lab, text) {
    let bytes, at = 0;
    try {
        bytes = Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
    } catch {
        return false;
    }
    const view = new DataView(bytes.buffer);
    const next = (size, read) => (at += size) <= bytes.length ? read.call(view, at - size, true) : NaN;
    const byte = () => next(1, view.getUint8), exact = () => next(4, view.getFloat32);
    const short = () => next(2, view.getInt16) / GRID;
    for (const row of EVERY) {
        const base = lab.vector(row, lab.base), z = lab.vector(row), flags = byte(), kind = flags & (FULL | SOME);
        if (!(flags < 2 * EXACT) || kind > FULL) return false;
        if (flags & OWN) base.forEach((_, k) => { base[k] = flags & BASE_EXACT ? exact() : short(); });
        z.set(base);
        const count = kind === FULL ? z.length : kind ? byte() : 0;
        for (let i = 0; i < count; i++) {
            const k = kind === FULL ? i : byte();
            if (!(k < z.length)) return false;
            z[k] = flags & EXACT ? exact() : base[k] + short();
        }
    }
    return at === bytes.length && [...lab.base, ...lab.z].every(x => Math.abs(x) <= FAR);
}
