// The kernel behind a lab in a notebook: it draws, and keeps the truth. What it is asked, and what it tells. No DOM.

import {invert} from './search.js';

const REMEMBERED = 5; // answers whose delays are known

/** `model` is that of anywidget. `state()` gives what the kernel is to know of the lab, {fields, parts}, if that has
 *  changed; it goes ahead of whatever is asked. `told(message, parts)` hears what nobody asked for. */
export class Kernel {
    constructor(model, state, told) {
        Object.assign(this, {model, state, told, waiting: new Map(), opened: new Map(), delays: [], count: 0});
        this.name = Array.from(crypto.getRandomValues(new Uint32Array(2))).join('-'); // tabs hear each other's answers
        this.hear = (message, buffers) => this.answer(message, (buffers || []).map(floats));
        model.on('msg:custom', this.hear);
        this.cut = false; // whether JupyterLab has let go of the kernel, and none has answered since
        this.letGo = () => {
            this.cut = true;
            this.ask('state').catch(() => {}); // if it was the link alone, it answers
        };
        model.on('comm_live_update', this.letGo);
    }

    close() {
        this.model.off('msg:custom', this.hear);
        this.model.off('comm_live_update', this.letGo);
    }

    /** A promise of what the kernel answers to `deed`: {...fields, parts}; rejects with a line that can be shown. */
    ask(deed, fields = {}, parts = []) {
        const id = `${this.name}.${++this.count}`, state = this.state();
        return new Promise((done, failed) => {
            this.waiting.set(id, {done, failed, since: performance.now()});
            this.model.send({id, deed, ...fields, state: state ? JSON.parse(state.fields) : null}, undefined,
                [...parts, ...state?.parts ?? []].map(part => part.slice().buffer));
        });
    }

    answer({id, fault, ...fields}, parts) {
        this.cut = false;
        if (!id) return this.told(fields, parts);
        const asked = this.waiting.get(id);
        if (!asked) return; // another tab's
        this.waiting.delete(id);
        this.delays = [...this.delays, performance.now() - asked.since].slice(-REMEMBERED);
        if (fault) asked.failed(Error(fault));
        else asked.done({...fields, parts});
    }

    /** Milliseconds for which the kernel owes an answer, and what it usually took of late. */
    get owes() {
        const now = performance.now(), delays = [...this.delays].sort((a, b) => a - b);
        return {since: Math.max(0, ...[...this.waiting.values()].map(one => now - one.since)),
            usual: delays[delays.length >> 1] ?? 0};
    }

    /** The generator of an entry of lab-data's `networks`, of which the rest is known from then on. */
    generatorOf(entry) {
        if (!this.opened.has(entry)) {
            const opening = this.open(entry);
            opening.catch(() => this.opened.delete(entry)); // it may be asked for again
            this.opened.set(entry, opening);
        }
        return this.opened.get(entry);
    }

    async open(entry) {
        const {run} = entry, {parts: [fresh], network} = await this.ask('open', {run});
        Object.assign(entry, network, {fresh});
        const found = async (deed, parts) => (await this.ask(deed, {run}, parts)).parts[0];
        const sample = z => found('draw', [z]);
        const trace = async z => [await sample(z), slope => found('slope', [z, slope])];
        const generator = {latentDim: entry.latent_dim, sample, trace};
        return {...generator, invert: (target, options) => invert(generator, target, options)};
    }

    /** What names pictures: {classify, count, classes}. */
    async classifierOf({network}) {
        const {classes, run} = network;
        const classify = async images => (await this.ask('name', {run}, [images])).parts[0];
        if (!classes.length) throw RangeError('no classifier');
        return {classify, count: classes.length, classes};
    }
}

// What a message brought as numbers: a copy, since it need not begin where a float may.
const floats = ({buffer, byteOffset: at, byteLength}) => new Float32Array(buffer.slice(at, at + byteLength));
