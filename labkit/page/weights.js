// What the page brings as text: unpacked, verified, and as numbers.

import {say} from './words.js';

const SIMD = Uint8Array.of( // a module that is valid only where there are vector instructions
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

/** What the page brings is damaged; what the reader is told is `start.damaged`, the message is for a console. */
export class Damaged extends Error {}

/** null, or why this browser cannot run the generator. */
export function supported() {
    if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(SIMD))
        return say('start.no_wasm');
    if (typeof DecompressionStream === 'undefined' || !Array.prototype.toReversed)
        return say('start.no_unpacking');
    return null;
}

/** The bytes behind base64 of gzip. */
export async function unzipped(text) {
    const packed = new Blob([fromBase64(text.trim())]).stream().pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** The weights in a payload of export.py: base64, gzip, half precision with all high bytes before all low bytes. */
export async function readWeights(text, sha256Hex) {
    const bytes = await unzipped(text).catch(fault => {
        throw new Damaged(`damaged weights: they cannot be unpacked (${fault.message})`);
    });
    const found = await sha256(bytes);
    if (found !== sha256Hex)
        throw new Damaged(`damaged weights: SHA-256 ${found.slice(0, 12)} where ${sha256Hex.slice(0, 12)} was written`);
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
    if (!globalThis.crypto?.subtle) return sha256Plain(bytes); // plain http has none
    const hash = await crypto.subtle.digest('SHA-256', bytes);
    return Array.from(new Uint8Array(hash), b => b.toString(16).padStart(2, '0')).join('');
}

// FIPS 180-4, section 6.2.
function sha256Plain(bytes) {
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
        [a, b, c, d, e, f, g, h].forEach((value, i) => {hash[i] += value; });
    }
    return Array.from(hash, v => (v >>> 0).toString(16).padStart(8, '0')).join('');
}

// The first 32 bits behind the point of the cube roots of the first 64 primes, and of the square roots of the first 8.
function roots() {
    const primes = [];
    for (let n = 2; primes.length < 64; n++) if (primes.every(p => n % p)) primes.push(n);
    const fraction = x => (x - Math.floor(x)) * 2 ** 32 | 0;
    return [primes.map(p => fraction(Math.cbrt(p))), primes.slice(0, 8).map(p => fraction(Math.sqrt(p)))];
}
