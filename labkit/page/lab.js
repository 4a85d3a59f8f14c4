// What can be done to eight latent vectors, without a page: edits, undo, walks, links and recipes. No DOM here.

export const GARMENTS = 8;
const FORMAT = 1; // of a link, and of a recipe: labkit/editor/recipe.py
const GRID = 2048; // numbers that are whole in 1/2048, as sliders give them, take sixteen bits of a link
const FAR = 32767 / GRID; // and none may lie further out
const OWN = 4,
    BASE_EXACT = 8,
    EXACT = 16; // flags of a garment in a link: see `pack`
const STEPS_KEPT = 200; // of undo
const SAME_GESTURE = 1000; // milliseconds within which equal gestures are one step of undo
const LONGEST_LINK = 20000,
    LONGEST_RECIPE = 2e6; // characters

/** What the eight vectors of a network are, were, and may become. `data` is the page's lab-data. */
export class Lab {
    constructor(data, now = () => performance.now()) {
        Object.assign(this, {
            data,
            now,
            index: 0,
            mode: 'shift',
            extra: new Map(),
            undone: [],
            done: [],
            gesture: [null, 0],
        });
        this.rows = [...data.lab_dims];
        this.chosen = [...Array(GARMENTS).keys()];
        this.base = Float32Array.from(data.base.z.flat());
        this.z = this.base.slice();
        this.path = null; // of a walk: {start, end, from, to}
    }

    get network() {
        return this.data.networks[this.index];
    }
    get size() {
        return this.network.latent_dim;
    }

    /** The vector of garment `row`, a view. */
    vector(row, of = this.z) {
        return of.subarray(row * this.size, (row + 1) * this.size);
    }

    /** The direction called `dim`: {name, unit, words, purity, ...}; one that came with a recipe has name and unit. */
    direction(dim) {
        return this.extra.get(dim) || this.network.directions.find(one => one.name === dim);
    }

    /** Whether `dim` is a dimension of z, by number, or a direction, by name. */
    knows(dim) {
        return Number.isInteger(dim) ? dim >= 0 && dim < this.size : typeof dim === 'string' && !!this.direction(dim);
    }

    /** What a slider of `dim` is called. */
    title(dim) {
        return Number.isInteger(dim) ? `z[${dim}]` : dim;
    }

    /** The coordinate of garment `row` along `dim`, in `of`: z or base. */
    coordinate(dim, row, of = this.z) {
        const vector = this.vector(row, of);
        return Number.isInteger(dim)
            ? vector[dim]
            : this.direction(dim).unit.reduce((sum, u, k) => sum + u * vector[k], 0);
    }

    /** Where the slider of `dim` stands: the mean over the chosen garments, and whether they differ. */
    shown(dim) {
        const values = this.chosen.map(
            row => this.coordinate(dim, row) - (this.mode === 'shift' ? this.coordinate(dim, row, this.base) : 0),
        );
        const mean = values.reduce((a, b) => a + b) / values.length;
        return {value: Math.abs(mean) < 5e-5 ? 0 : mean, mixed: Math.max(...values) - Math.min(...values) > 1e-3};
    }

    /** Numbers of garments that are not as they were drawn. */
    edited() {
        return [...Array(GARMENTS).keys()].filter(row =>
            this.vector(row).some((x, k) => x !== this.vector(row, this.base)[k]),
        );
    }

    // ----- edits, each a step of undo

    /** Keep the present state for undo; equal gestures that follow at once, or while a pointer holds, are one step. */
    remember(gesture, held = false) {
        const [last, when] = this.gesture,
            now = this.now();
        this.gesture = [gesture, now];
        if (gesture === last && (held || now - when < SAME_GESTURE)) return;
        this.done.push({base: this.base, z: this.z});
        if (this.done.length > STEPS_KEPT) this.done.shift();
        this.undone = [];
        [this.base, this.z] = [this.base.slice(), this.z.slice()];
    }

    /** The gesture is over: the next one is a step of its own. */
    release() {
        this.gesture = [null, 0];
    }

    /** Move the chosen garments so that the sliders of `pairs`, [[dim, value], ...], stand at these values. */
    move(pairs, held = false) {
        const range = this.data.range,
            by = pairs.map(([dim, value]) => {
                if (!this.knows(dim))
                    throw Error(`${String(dim).slice(0, 40)} is no dimension and no direction of this network.`);
                if (!Number.isFinite(value)) throw Error('That is not a number.');
                return [dim, Math.min(range, Math.max(-range, value))];
            });
        this.remember(`move ${pairs.map(([dim]) => dim)} ${this.mode} ${this.chosen}`, held);
        const steps = by.map(([dim, value]) => value - this.shown(dim).value);
        for (const row of this.chosen) {
            const own = this.mode === 'shift' ? steps : by.map(([dim, value]) => value - this.coordinate(dim, row));
            this.together(
                by.map(([dim]) => dim),
                own,
            ).forEach((step, k) => this.along(by[k][0], row, step));
        }
        this.path = null;
    }

    /** How far to go along each of one or two `dims` so that their coordinates change by `steps`; they may not be
     *  square. */
    together([one, two], [p, q]) {
        if (two === undefined) return [p];
        const unit = dim =>
            Number.isInteger(dim) ? [...Array(this.size).keys()].map(k => Number(k === dim)) : this.direction(dim).unit;
        const other = unit(two),
            cosine = unit(one).reduce((sum, u, k) => sum + u * other[k], 0),
            square = 1 - cosine * cosine;
        return square < 0.01 ? [p, q] : [(p - cosine * q) / square, (q - cosine * p) / square];
    }

    /** Add `step` to the coordinate of garment `row` along `dim`. */
    along(dim, row, step) {
        const vector = this.vector(row);
        if (Number.isInteger(dim)) vector[dim] += step;
        else
            this.direction(dim).unit.forEach((u, k) => {
                vector[k] += step * u;
            });
    }

    /** Give the chosen garments back what they had, along `dim` or altogether. */
    reset(dim = null) {
        this.remember(`reset ${dim} ${this.chosen} ${this.now()}`);
        for (const row of this.chosen) {
            if (dim === null) this.vector(row).set(this.vector(row, this.base));
            else if (Number.isInteger(dim)) this.vector(row)[dim] = this.vector(row, this.base)[dim];
            else this.along(dim, row, this.coordinate(dim, row, this.base) - this.coordinate(dim, row));
        }
        this.path = null;
    }

    /** Put garment `start` a share `t` of the way to garment `end`, on the great circle; both as they now are. */
    walk(start, end, t, held = false) {
        const path = this.path;
        this.remember(`walk ${start} ${end}`, held);
        if (!path || path.start !== start || path.end !== end) {
            this.path = {start, end, from: this.vector(start).slice(), to: this.vector(end).slice()};
        }
        this.path.t = Math.min(1, Math.max(0, t));
        this.vector(start).set(between(this.path.from, this.path.to, this.path.t));
    }

    /** A step of `seconds` of the random walk: each chosen garment goes towards a point of its own, then to the
     *  next. */
    drift(seconds, random = normal) {
        this.remember('drift', true);
        this.aims ??= {};
        for (const row of this.chosen) {
            let aim = this.aims[row];
            if (!aim || aim.t >= 1 || this.coordinateOff(row, aim)) {
                aim = this.aims[row] = {
                    t: 0,
                    from: this.vector(row).slice(),
                    to: Float32Array.from({length: this.size}, random),
                };
            }
            aim.t = Math.min(1, aim.t + seconds / 4);
            this.vector(row).set(between(aim.from, aim.to, (1 - Math.cos(Math.PI * aim.t)) / 2));
            aim.at = this.vector(row).slice();
        }
        this.path = null;
    }

    /** Whether garment `row` was moved by something else since `aim` moved it. */
    coordinateOff(row, aim) {
        return aim.at.some((x, k) => x !== this.vector(row)[k]);
    }

    /** Let garment `row` begin anew as `z`, to be edited from there. */
    place(row, z) {
        if (!z.every(Number.isFinite)) throw Error('The vector that was found is no vector of numbers.');
        this.remember(`place ${this.now()}`);
        const rounded = Float32Array.from(z, onGrid);
        this.vector(row).set(rounded);
        this.vector(row, this.base).set(rounded);
        this.path = null;
    }

    /** Eight new garments. */
    renew(random = normal) {
        this.remember(`renew ${this.now()}`);
        this.base = Float32Array.from({length: this.base.length}, () => onGrid(random()));
        this.z = this.base.slice();
        this.path = null;
    }

    undo() {
        return this.swap(this.done, this.undone);
    }
    redo() {
        return this.swap(this.undone, this.done);
    }

    swap(source, target) {
        if (!source.length) return false;
        target.push({base: this.base, z: this.z});
        Object.assign(this, source.pop(), {path: null});
        this.release();
        return true;
    }

    // ----- what edits change, and sliders

    /** A click on garment `row`: it alone, if all were chosen; else it joins or leaves. With none left, all are
     *  chosen. */
    click(row) {
        const all = this.chosen.length === GARMENTS,
            has = this.chosen.includes(row);
        const next = all ? [row] : has ? this.chosen.filter(other => other !== row) : [...this.chosen, row];
        this.choose(next);
    }

    choose(rows) {
        this.chosen = (rows.length ? [...rows] : [...Array(GARMENTS).keys()]).sort((a, b) => a - b);
        this.release();
    }

    /** A slider for `dim`, first in the list; false if there was one. */
    add(dim) {
        if (!this.knows(dim)) throw Error(`There is no dimension or direction ${String(dim).slice(0, 40)}.`);
        if (this.rows.includes(dim)) return false;
        this.rows.unshift(dim);
        return true;
    }

    remove(dim) {
        this.rows = this.rows.filter(other => other !== dim);
    }

    /** What fits `text`: a number, a name, or what it does; each {dim, title, words}. Without a text, the
     *  directions. */
    search(text, most = 12) {
        const asked = text.trim().toLowerCase(),
            {names} = this.network.effects,
            found = [];
        const number = /^(?:z\[?)?\s*(\d+)\s*\]?$/.exec(asked);
        if (number) {
            const dim = Number(number[1]);
            return dim < this.size ? [{dim, title: this.title(dim), words: this.strongest(dim)}] : [];
        }
        for (const {name, words, purity} of this.network.directions) {
            if (`${name} ${words}`.toLowerCase().includes(asked)) {
                found.push({dim: name, title: name, words: `${words} · purity ${Math.round(100 * purity)} %`});
            }
        }
        found.sort(
            (a, b) =>
                b.title.includes(asked) - a.title.includes(asked) ||
                b.title.startsWith('more') - a.title.startsWith('more'),
        );
        const measure = asked ? names.findIndex(name => name.startsWith(asked)) : -1;
        if (measure >= 0) {
            // the dimensions that change it most
            const strength = dim => Math.abs(this.network.effects.score[dim][measure]);
            const dims = [...Array(this.size).keys()].sort((a, b) => strength(b) - strength(a)).slice(0, 4);
            found.splice(
                most - 4,
                Infinity,
                ...dims.map(dim => ({dim, title: this.title(dim), words: this.said(dim, measure)})),
            );
        }
        return found.slice(0, most);
    }

    /** Effects of `dim`, the largest beside random directions first, but for what it is named after: {name, mean,
     *  unit, score, low, high, special}. */
    effects(dim, count = 3) {
        const {names, units, mean, score, special, null_low: low, null_high: high} = this.network.effects;
        const row = Number.isInteger(dim)
            ? {mean: mean[dim], score: score[dim], special: special[dim]}
            : this.direction(dim);
        if (!row?.mean) return [];
        const own = String(dim).replace(/^more /, ''); // what a direction is named after comes first
        return names
            .map((name, k) => ({
                name,
                unit: units[k],
                mean: row.mean[k],
                score: row.score[k],
                low: low[k],
                high: high[k],
                special: !!row.special[k],
            }))
            .sort((a, b) => (b.name === own) - (a.name === own) || Math.abs(b.score) - Math.abs(a.score))
            .slice(0, count);
    }

    said(dim, measure) {
        const {names, units, mean} = this.network.effects;
        return `${names[measure]} ${signed(mean[dim][measure])} ${units[measure]}`.trim();
    }

    strongest(dim) {
        const [{name, mean, unit}] = this.effects(dim, 1);
        return `${name} ${signed(mean)} ${unit}`.trim();
    }

    /** Draw with network `index` from now on; the vectors stay if they fit. */
    use(index) {
        if (this.data.networks[index].latent_dim !== this.size) throw Error('The vectors do not fit that network.');
        [this.index, this.extra] = [index, new Map()];
        this.rows = this.rows.filter(dim => this.knows(dim));
        this.release();
    }

    // ----- links: lab=1&g=<generator>&c=<chosen>&m=<mode>&r=<rows>&v=<vectors>

    /** The fragment of a link to the present state. */
    link() {
        const bytes = [];
        for (let row = 0; row < GARMENTS; row++) this.pack(row, bytes);
        const entry = this.network.generator_sha256.slice(0, 12),
            rows = this.rows.filter(dim => !this.extra.has(dim));
        return String(
            new URLSearchParams({
                lab: FORMAT,
                g: entry,
                c: this.chosen.reduce((mask, row) => mask | (1 << row), 0).toString(16),
                m: this.mode,
                r: rows.join(),
                v: btoa(String.fromCharCode(...bytes))
                    .replace(/\+/g, '-')
                    .replace(/\//g, '_')
                    .replace(/=+$/, ''),
            }),
        );
    }

    /** Add garment `row` to the `bytes` of a link: a byte of flags, its base where that is its own, and what
     *  differs from it. */
    pack(row, bytes) {
        const base = this.vector(row, this.base),
            z = this.vector(row),
            original = this.data.base.z[row];
        const short = x => {
            const q = Math.round(x * GRID) & 0xffff;
            bytes.push(q & 255, q >> 8);
        };
        const exact = x => bytes.push(...new Uint8Array(Float32Array.of(x).buffer));
        const own = base.some((x, k) => x !== Math.fround(original[k])),
            rough = base.some(x => x !== onGrid(x));
        const changed = [...z.keys()].filter(k => z[k] !== base[k]),
            full = changed.length > this.size / 2 || (changed.length && this.size > 255);
        const odd = changed.some(k => z[k] !== Math.fround(base[k] + onGrid(z[k] - base[k])));
        bytes.push(
            (full ? 2 : changed.length ? 1 : 0) + (own ? OWN : 0) + (own && rough ? BASE_EXACT : 0) + (odd ? EXACT : 0),
        );
        if (own) base.forEach(rough ? exact : short);
        if (changed.length && !full) bytes.push(changed.length);
        for (const k of full ? z.keys() : changed) {
            if (!full) bytes.push(k);
            if (odd) exact(z[k]);
            else short(z[k] - base[k]);
        }
    }

    /** Take up the state in `fragment`. Throws a line that can be shown, and then nothing has changed. */
    open(fragment) {
        if (fragment.length > LONGEST_LINK) throw Error('The link is too long to be one of this page.');
        const fields = new URLSearchParams(fragment),
            version = fields.get('lab');
        if (version !== String(FORMAT)) throw Error('The link was made by another version of this page.');
        const asked = fields.get('g') || '',
            mode = fields.get('m'),
            mask = parseInt(fields.get('c'), 16);
        const index = this.data.networks.findIndex(one => asked.length >= 8 && one.generator_sha256.startsWith(asked));
        if (index < 0) throw Error('The link was made with another network than those of this page.');
        const next = new Lab(this.data, this.now);
        next.index = index;
        next.rows = [
            ...new Set(
                (fields.get('r') || '')
                    .split(',')
                    .filter(Boolean)
                    .map(dim => (/^\d+$/.test(dim) ? Number(dim) : dim)),
            ),
        ];
        const sound =
            (mode === 'shift' || mode === 'set') && mask >= 1 && mask <= 255 && next.rows.every(dim => next.knows(dim));
        if (!sound || !next.unpack(fields.get('v') || '')) throw Error('The link is damaged: nothing was changed.');
        const chosen = next.chosen.filter(row => (mask >> row) & 1);
        this.remember(`open ${this.now()}`);
        Object.assign(this, {
            index,
            mode,
            chosen,
            rows: next.rows,
            base: next.base,
            z: next.z,
            extra: new Map(),
            path: null,
        });
    }

    /** The vectors that a link keeps as `text`; false if these are none. */
    unpack(text) {
        let bytes,
            at = 0;
        try {
            bytes = Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
        } catch {
            return false;
        }
        const view = new DataView(bytes.buffer),
            left = size => ((at += size) <= bytes.length ? at - size : null);
        const byte = () => bytes[left(1)] ?? NaN,
            here = (size, read) => {
                const from = left(size);
                return from === null ? NaN : read(from);
            };
        const short = () => here(2, from => view.getInt16(from, true) / GRID),
            exact = () => here(4, from => view.getFloat32(from, true));
        for (let row = 0; row < GARMENTS; row++) {
            const base = this.vector(row, this.base),
                z = this.vector(row),
                flags = byte(),
                kind = flags & 3;
            if (!(flags < 2 * EXACT) || kind === 3) return false;
            if (flags & OWN)
                base.forEach((_, k) => {
                    base[k] = flags & BASE_EXACT ? exact() : short();
                });
            z.set(base);
            const count = kind === 2 ? this.size : kind ? byte() : 0;
            for (let i = 0; i < count; i++) {
                const k = kind === 2 ? i : byte();
                if (!(k < this.size)) return false;
                z[k] = flags & EXACT ? exact() : base[k] + short();
            }
        }
        return at === bytes.length && [...this.base, ...this.z].every(x => Math.abs(x) <= FAR);
    }

    // ----- recipes, those of the live editor

    recipe() {
        const named = this.rows.filter(dim => typeof dim === 'string'),
            {run, generator_sha256} = this.network;
        const split = all => Array.from({length: GARMENTS}, (_, row) => [...this.vector(row, all)]);
        return {
            format: FORMAT,
            run,
            generator_sha256,
            seed: this.data.base.seed,
            dims: this.rows,
            directions: Object.fromEntries(named.map(name => [name, this.direction(name).unit])),
            base: split(this.base),
            z: split(this.z),
        };
    }

    /** Take up the recipe in `text`. Throws a line that can be shown, and then nothing has changed. */
    load(text) {
        const recipe = parsed(text),
            digest = recipe.generator_sha256;
        const index = this.data.networks.findIndex(one => one.generator_sha256 === digest);
        if (index < 0) {
            throw Error(
                `That recipe was made with run ${String(recipe.run).slice(0, 60)}, generator ` +
                    `${String(digest).slice(0, 8)}, which is not in this page.`,
            );
        }
        const size = this.data.networks[index].latent_dim,
            [base, z] = [recipe.base, recipe.z].map(all => vectors(all, size));
        const next = new Lab(this.data, this.now);
        next.index = index;
        for (const [name, unit] of Object.entries(recipe.directions ?? {})) {
            const sound = vectors([unit], size, 1) && Math.abs(Math.hypot(...unit) - 1) < 1e-3;
            if (!sound || name.length > 80) throw Error('That recipe is damaged: a direction is no unit vector.');
            const known = next.network.directions.find(one => one.name === name);
            if (!known || known.unit.some((u, k) => Math.abs(u - unit[k]) > 1e-5)) next.extra.set(name, {name, unit});
        }
        const dims = Array.isArray(recipe.dims) && recipe.dims.length <= 200 && [...new Set(recipe.dims)];
        if (!base || !z || !dims || !dims.every(dim => next.knows(dim)))
            throw Error('That recipe is damaged: nothing was changed.');
        this.remember(`load ${this.now()}`);
        Object.assign(this, {index, rows: dims, extra: next.extra, base, z, path: null});
    }
}

function parsed(text) {
    if (text.length > LONGEST_RECIPE) throw Error('That file is too large to be a recipe.');
    let recipe;
    try {
        recipe = JSON.parse(text);
    } catch {
        throw Error('That file is no recipe: it is not JSON.');
    }
    if (recipe?.format !== FORMAT) throw Error(`That file is no recipe of format ${FORMAT}.`);
    return recipe;
}

/** `count` lists of `size` numbers that the page can draw, as one array; null if they are not that. */
function vectors(lists, size, count = GARMENTS) {
    const sound =
        Array.isArray(lists) &&
        lists.length === count &&
        lists.every(
            list =>
                Array.isArray(list) &&
                list.length === size &&
                list.every(x => Number.isFinite(x) && Math.abs(x) <= FAR),
        );
    return sound ? Float32Array.from(lists.flat()) : null;
}

const clipped = x => Math.min(FAR, Math.max(-FAR, x));
const onGrid = x => Math.round(clipped(x) * GRID) / GRID;
export const signed = x => `${x < 0 ? '−' : '+'}${Number(Math.abs(x).toPrecision(3))}`;

/** A number of N(0, 1). */
const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/** The length of a vector. */
export const norm = vector => Math.hypot(...vector);

/** The vector a share `t` of the way from `a` to `b`, on the great circle, its length going evenly:
 *  latent.interpolate. */
export function between(a, b, t) {
    const [na, nb] = [norm(a), norm(b)],
        cosine = a.reduce((sum, x, k) => sum + x * b[k], 0) / (na * nb);
    const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
    if (!(Math.sin(angle) > 1e-4)) return a.map((x, k) => x + t * (b[k] - x));
    const [p, q] = [Math.sin((1 - t) * angle), Math.sin(t * angle)].map(
        x => (x / Math.sin(angle)) * ((1 - t) * na + t * nb),
    );
    return a.map((x, k) => (p * x) / na + (q * b[k]) / nb);
}

// ----- what is measured on a picture, 784 numbers in [-1, 1]: labkit/pictures.py

/** Mean of the pixels, in grey levels. */
export const brightness = image => (image.reduce((sum, x) => sum + x, 0) / image.length) * 127.5 + 127.5;

/** Columns that hold some garment: pixels above a fifth of the 40th brightest, and above 16 grey levels. */
export function width(image) {
    const grey = Float32Array.from(image, x => (x + 1) * 127.5),
        level = grey.slice().sort()[grey.length - 40];
    const limit = Math.max(Math.fround(0.2 * level), 16);
    return [...Array(28).keys()].filter(column => grey.some((x, k) => k % 28 === column && x > limit)).length;
}
