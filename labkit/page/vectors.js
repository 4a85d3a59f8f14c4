// Latent vectors as plain arrays, and how their numbers are said.

export const GARMENTS = 8; // of the page, as of a recipe: labkit/editor/recipe.py
export const EVERY = [...Array(GARMENTS).keys()];
export const GRID = 2048; // numbers that are whole in 1/2048, as sliders give them, take sixteen bits of a link
export const FAR = 32767 / GRID; // and none may lie further out

export const clipped = (x, low, high) => Math.min(high, Math.max(low, x));
export const onGrid = x => Math.round(clipped(x, -FAR, FAR) * GRID) / GRID;

/** `count` numbers of N(0, 1). */
export const normals = count => Float32Array.from({length: count}, () =>
    Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()));

export const dot = (a, b) => a.reduce((sum, x, k) => sum + x * b[k], 0);
export const norm = vector => Math.hypot(...vector);
export const same = (a, b) => a.every((x, k) => x === b[k]);

/** The vector a share `t` of the way from `a` to `b`, on the great circle, its length going evenly:
 *  latent.interpolate. */
export function between(a, b, t) {
    const [na, nb] = [norm(a), norm(b)], angle = Math.acos(clipped(dot(a, b) / (na * nb), -1, 1));
    if (!(Math.sin(angle) > 1e-4)) return a.map((x, k) => x + t * (b[k] - x));
    const [p, q] = [1 - t, t].map(share => Math.sin(share * angle) / Math.sin(angle) * ((1 - t) * na + t * nb));
    return a.map((x, k) => p * x / na + q * b[k] / nb);
}

/** `z` with a share `s` of `noise` in it, of the same length as before. */
export function near(z, noise, s) {
    const mixed = z.map((x, k) => x + s * noise[k]), scale = norm(z) / norm(mixed);
    return scale > 0 && Number.isFinite(scale) ? mixed.map(x => x * scale) : mixed;
}

/** `x` with its sign and three digits; or with two decimals, as beside a slider. */
export const signed = x => `${x < 0 ? '−' : '+'}${Number(Math.abs(x).toPrecision(3))}`;
export const fixed = x => x.toFixed(2).replace(/^-(?=0\.00$)/, '');
