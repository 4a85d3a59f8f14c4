// What eight latent vectors are, were and may become, without a page: edits, undo, walks. No DOM here.

import {EVERY, between, clipped, dot, normals, onGrid, same} from './vectors.js';
import {say} from './words.js';

const STEPS_KEPT = 200, SAME_GESTURE = 1000; // of undo; milliseconds within which equal gestures are one of them

/** The state of the page: `z` and `base`, the eight vectors as they are and as they were drawn; `index` of the network
 *  that draws them; `chosen` garments, which edits change; `rows`, what has a slider; `mode`, what a slider does, shift
 *  or set; `path` of a walk, {start, end, from, to, t}; `pinned` garments, which edits leave alone; `beside`, the index
 *  of a network that draws the same vectors once more, or null. `data` is the page's lab-data. */
export class Lab {
    constructor(data) {
        Object.assign(this, {data, index: 0, mode: 'shift', rows: [...data.lab_dims], extra: new Map()});
        Object.assign(this, {chosen: EVERY, pinned: [], beside: null, path: null, aims: {}, done: [], undone: []});
        this.base = Float32Array.from(data.base.z.flat());
        this.z = this.base.slice();
        this.release();
    }

    get network() {
        return this.data.networks[this.index];
    }
    get size() {
        return this.network.latent_dim;
    }

    /** The network of `beside`, if its vectors are as long. */
    get companion() {
        const one = this.data.networks[this.beside];
        return one && one !== this.network && one.latent_dim === this.size ? one : null;
    }

    /** The chosen garments that are not pinned: what edits change. */
    get free() {
        return this.chosen.filter(row => !this.pinned.includes(row));
    }

    /** The garment that takes what comes for one. */
    get first() {
        return this.free[0] ?? this.chosen[0];
    }

    /** The dimension or direction that was moved last, of those that have a slider. */
    get focus() {
        return this.rows.includes(this.moved) ? this.moved : this.rows[0];
    }

    /** The vector of garment `row`, a view. */
    vector(row, of = this.z) {
        return of.subarray(row * this.size, (row + 1) * this.size);
    }

    /** The direction called `dim`: {name, title, unit, words, ...}; one that came with a recipe has name and unit. */
    direction(dim) {
        return this.extra.get(dim) || this.network.directions.find(one => one.name === dim);
    }

    /** Whether `dim` is a dimension of z, by number, or a direction, by name. */
    knows(dim) {
        return Number.isInteger(dim) ? dim >= 0 && dim < this.size : typeof dim === 'string' && !!this.direction(dim);
    }

    /** What a slider of `dim` is called. */
    title(dim) {
        return Number.isInteger(dim) ? `z[${dim}]` : this.direction(dim)?.title ?? dim;
    }

    unit(dim) {
        return Number.isInteger(dim) ? this.vector(0).map((_, k) => k === dim) : this.direction(dim).unit;
    }

    /** The coordinate of garment `row` along `dim`, in `of`: z or base. */
    coordinate(dim, row, of = this.z) {
        const vector = this.vector(row, of);
        return Number.isInteger(dim) ? vector[dim] : dot(this.direction(dim).unit, vector);
    }

    /** Where the slider of `dim` stands: the mean over the garments that it moves, and whether they differ. */
    shown(dim) {
        const values = (this.free.length ? this.free : this.chosen).map(
            row => this.coordinate(dim, row) - (this.mode === 'shift' ? this.coordinate(dim, row, this.base) : 0));
        const mean = values.reduce((a, b) => a + b) / values.length;
        return {value: Math.abs(mean) < 5e-5 ? 0 : mean, mixed: Math.max(...values) - Math.min(...values) > 1e-3};
    }

    /** Numbers of garments that are not as they were drawn. */
    edited() {
        return EVERY.filter(row => !same(this.vector(row), this.vector(row, this.base)));
    }

    // ----- edits, each a step of undo

    /** Keep the present state for undo; equal gestures that follow at once, or while a pointer holds, are one step. */
    remember(gesture = null, held = this.held) {
        const {last, when} = this.gesture, now = performance.now();
        this.gesture = {last: gesture, when: now};
        this.path = null;
        if (gesture && gesture === last && (held || now - when < SAME_GESTURE)) return;
        this.done.push({base: this.base, z: this.z, pinned: this.pinned});
        if (this.done.length > STEPS_KEPT) this.done.shift();
        this.undone = [];
        [this.base, this.z] = [this.base.slice(), this.z.slice()];
    }

    /** What edits change. Throws a line that can be shown if all of it is pinned. */
    changing() {
        if (!this.free.length) throw Error(say('stage.all_pinned'));
        return this.free;
    }

    /** A pointer holds a control, until `release`. */
    hold() {
        this.held = true;
    }

    /** The gesture is over: the next one is a step of its own. */
    release() {
        this.gesture = {last: null, when: 0};
        this.held = false;
    }

    /** Move the chosen garments so that the sliders of `pairs`, one or two [dim, value], stand at these values. */
    move(...pairs) {
        if (!pairs.every(([, value]) => Number.isFinite(value))) throw Error(say('sliders.not_a_number'));
        const {range} = this.data, rows = this.changing(), dims = pairs.map(([dim]) => dim);
        const wanted = pairs.map(([, value]) => clipped(value, -range, range));
        this.remember(`move ${dims} ${this.mode} ${this.chosen}`);
        const shift = wanted.map((value, k) => value - this.shown(dims[k]).value);
        for (const row of rows) {
            const steps = wanted.map((value, k) => value - this.coordinate(dims[k], row));
            this.step(row, dims, this.mode === 'shift' ? shift : steps);
        }
        this.moved = dims[0];
    }

    /** Move garment `row` so that its coordinates along `dims` change by `steps`; two need not be square. */
    step(row, dims, steps) {
        const units = dims.map(dim => this.unit(dim)), vector = this.vector(row);
        const cosine = units.length > 1 ? dot(...units) : 0, square = 1 - cosine * cosine;
        const own = square < 0.01 ? steps : steps.map((step, k) => (step - cosine * (steps[1 - k] ?? 0)) / square);
        units.forEach((unit, i) => unit.forEach((u, k) => { vector[k] += own[i] * u; }));
    }

    /** Give the chosen garments back what they had, along `dim` or altogether. */
    reset(dim = null) {
        const rows = this.changing();
        this.remember();
        for (const row of rows) {
            if (dim === null) this.vector(row).set(this.vector(row, this.base));
            else this.step(row, [dim], [this.coordinate(dim, row, this.base) - this.coordinate(dim, row)]);
        }
    }

    /** Put garment `start` a share `t` of the way to garment `end`, on the great circle; both as they now are. Or from
     *  vector `from`, as one gesture whatever the end. */
    walk(start, end, t, from = null) {
        this.unpinned(start);
        const on = !from && this.path?.start === start && this.path.end === end && this.path;
        const path = on || {start, end, from: from ?? this.vector(start).slice(), to: this.vector(end).slice()};
        this.remember(from ? `walk ${start}` : `walk ${start} ${end}`);
        this.path = {...path, t: clipped(t, 0, 1)};
        this.vector(start).set(between(path.from, path.to, this.path.t));
    }

    /** A step of `seconds` of the random walk: each chosen garment goes to a point of its own, then to the next. */
    drift(seconds) {
        const rows = this.changing();
        this.remember('drift', true);
        for (const row of rows) {
            const z = this.vector(row), before = this.aims[row];
            const on = before && before.t < 1 && same(before.at, z); // and nothing else has moved it
            const aim = this.aims[row] = on ? before : {t: 0, from: z.slice(), to: normals(this.size)};
            aim.t = Math.min(1, aim.t + seconds / 4);
            z.set(between(aim.from, aim.to, (1 - Math.cos(Math.PI * aim.t)) / 2));
            aim.at = z.slice();
        }
    }

    /** Let garment `row` begin anew as `z`, to be edited from there. */
    place(row, z) {
        if (!z.every(Number.isFinite)) throw Error(say('stage.no_vector'));
        this.unpinned(row);
        this.remember();
        for (const of of [this.z, this.base]) this.vector(row, of).set(z.map(onGrid));
    }

    /** New garments, in place of those that are not pinned. */
    renew() {
        if (this.pinned.length === EVERY.length) throw Error(say('stage.all_pinned'));
        this.remember();
        for (const row of EVERY.filter(one => !this.pinned.includes(one))) {
            const z = normals(this.size).map(onGrid);
            for (const of of [this.z, this.base]) this.vector(row, of).set(z);
        }
    }

    /** Pin garment `row`, so that edits leave it alone, or free it; whether it is pinned now. */
    pin(row) {
        const pinned = this.pinned.includes(row);
        this.remember();
        this.pinned = pinned ? this.pinned.filter(other => other !== row) : [...this.pinned, row];
        return !pinned;
    }

    unpinned(row) {
        if (this.pinned.includes(row)) throw Error(say('stage.is_pinned', {k: row + 1}));
    }

    /** Take up `state`, from a link, a recipe or the film; undo brings the network back, too, if that is another.
     *  Pinned garments that it changes are free. */
    take(state) {
        const {index} = this;
        this.remember();
        const {z: before} = this.done.at(-1);
        this.become(state);
        if (this.index !== index) this.done.at(-1).index = index;
        this.pinned = this.pinned.filter(row => same(this.vector(row), this.vector(row, before)));
    }

    /** Be as `state` is; with another network, sliders stay that it knows. */
    become(state) {
        const {index} = this;
        Object.assign(this, state);
        if (this.index === index) return;
        if (this.index === this.beside) this.beside = index; // they change places
        if (!state.extra) this.extra = new Map();
        this.rows = this.rows.filter(dim => this.knows(dim));
    }

    undo() {
        return this.swap(this.done, this.undone);
    }
    redo() {
        return this.swap(this.undone, this.done);
    }

    /** Take the last step back as if it had not been, with `undone` to be redone. */
    cancel(undone) {
        this.swap(this.done, []);
        this.undone = undone;
    }

    swap(source, target) {
        if (!source.length) return false;
        const {base, z, pinned, index} = this, next = source.pop();
        target.push({base, z, pinned, ...'index' in next && {index}});
        this.become({...next, path: null});
        this.release();
        return true;
    }

    // ----- what edits change, and sliders

    /** A click on garment `row`: it alone, or all, if it was alone. One that `joins`: it joins or leaves. */
    click(row, joins = false) {
        const others = this.chosen.filter(other => other !== row), inside = others.length < this.chosen.length;
        if (joins) this.choose(inside ? others : [...others, row]);
        else this.choose(inside && !others.length ? EVERY : [row]);
    }

    /** Edits change `rows`; with none left, all. */
    choose(rows) {
        this.chosen = rows.length ? EVERY.filter(row => rows.includes(row)) : EVERY;
        this.release();
    }

    /** A slider for `dim`, first in the list; false if there was one. */
    add(dim) {
        this.moved = dim;
        if (this.rows.includes(dim)) return false;
        this.rows = [dim, ...this.rows];
        return true;
    }

    remove(dim) {
        this.rows = this.rows.filter(other => other !== dim);
    }

    /** Draw with network `index` from now on; the vectors stay if they fit, else they are `fresh` ones of its own. */
    use(index) {
        const {latent_dim: size, fresh} = this.data.networks[index];
        if (size === this.size) this.become({index});
        else if (!fresh) throw Error(say('stage.no_fit'));
        else this.become({index, base: fresh.slice(), z: fresh.slice(), done: [], undone: [], path: null, pinned: []});
        this.release();
    }
}
