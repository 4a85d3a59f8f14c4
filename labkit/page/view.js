// The lab on the page. What the reader does changes the state (lab.js); the state is shown in every part, and drawn.

import {makeFilm} from './film.js';
import {Lab} from './lab.js';
import {makeLike} from './like.js';
import {readLink} from './link.js';
import {ownPanel} from './own.js';
import {padPanel} from './pad.js';
import {element} from './parts.js';
import {PIXELS} from './pictures.js';
import {slidersPanel} from './sliders.js';
import {makeStage} from './stage.js';
import {makeTabs} from './tabs.js';
import {EVERY, same} from './vectors.js';
import {walkPanel} from './walk.js';
import {say} from './words.js';

const REST = 180; // milliseconds without a move after which garments are named
const MARKS = ['far', 'real', 'noise']; // words of lab.css
const PANELS = [['sliders', slidersPanel], ['pad', padPanel], ['walk', walkPanel], ['find', ownPanel]];

/** The lab of lab-data: `root` is its element. Every part is given the view, and what it does goes through `act`.
 *
 *  `host` is what it lives in, a page or a notebook: `generatorOf` and `classifierOf` an entry of lab-data's
 *  `networks`, promises of what draws and names; `panels`, [[name, function], ...], which come last; `why(fault)`, in
 *  words; `rested`, told of the view when nothing has moved for a while; a kernel also has `measure` and `seed`. */
export class View {
    constructor(data, host) {
        this.host = host;
        this.lab = new Lab(data);
        this.drawn = {z: [], base: [], beside: []}; // of each garment, as shown: {by, z, image}
        this.root = element('div', {className: 'lab', innerHTML: `<div class="lab-left"></div>
            <div class="lab-right"></div><p class="lab-note"></p>`});
        this.root.setAttribute('role', 'group');
        this.root.setAttribute('aria-label', say('title'));
        for (const name of MARKS) this.root.style.setProperty(`--say-${name}`, `"${say(`marks.${name}`)}"`);
        const [left, right, note] = this.root.children;
        const all = [...PANELS, ...host.panels];
        const {open, panels} = makeTabs(right, say('tabs.name'), all.map(([name]) => [name, say(`tabs.${name}`)]));
        this.stage = makeStage(this, left);
        this.status = left.querySelector('.lab-status');
        new ResizeObserver(() => this.fit(left)).observe(left);
        window.addEventListener('resize', () => this.fit(left));
        const made = Object.fromEntries(all.map(([name, make]) => [name, make(this, panels[name])]));
        const like = makeLike(this, panels.walk), film = makeFilm(this, left), last = made[host.panels.at(-1)[0]];
        this.parts = [this.stage.refresh, ...Object.values(made).map(part => part.refresh), like.refresh, film.refresh,
            () => {
                const {title, note: length} = this.lab.network;
                note.textContent = say('note', {title, length});
            }];
        this.rests = [film.keep, like.rest];
        this.listen(file => {
            if (/json$/.test(file.type) || /\.(json|npy|csv|txt)$/i.test(file.name)) return last.take(file);
            open('find');
            made.find.take(file);
        });
        this.say('');
    }

    /** Have the network unpacked, draw for the first time; a `link` is opened. Rejects if that cannot be. */
    async start(link = '') {
        await this.host.generatorOf(this.lab.network);
        if (link) this.openLink(link);
        this.refresh();
        await this.draw();
        if (!this.drawn.z.length) throw Error(this.status.textContent);
    }

    /** `left`, the stage, stays in view above the controls, unless it would cover most of a low window. */
    fit(left) {
        const above = left.offsetWidth > 0.8 * this.root.offsetWidth, high = left.offsetHeight > 0.65 * innerHeight;
        this.root.classList.toggle('lab-low', above && high);
        this.root.style.setProperty('--held', above && !high ? `${left.offsetHeight}px` : '0px');
    }

    /** What concerns the lab as a whole: pointers that hold, keys of undo, files that are dropped. */
    listen(takeFile) {
        const {root, lab} = this;
        root.addEventListener('pointerdown', () => lab.hold());
        for (const kind of ['pointerup', 'pointercancel'])
            window.addEventListener(kind, () => {
                if (!lab.held) return;
                lab.release();
                this.refresh(); // what was held may stand elsewhere than the state
            });
        root.addEventListener('keydown', event => {
            const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z';
            if (!undo || event.target.matches('.lab-numbers, input:not([type=range])')) return;
            event.preventDefault();
            this.history(event.shiftKey ? 'redo' : 'undo');
        });
        root.addEventListener('dragover', event => {
            if (event.dataTransfer?.types.includes('Files')) event.preventDefault();
        });
        root.addEventListener('drop', event => {
            const file = event.dataTransfer?.files[0];
            if (!file) return;
            event.preventDefault();
            takeFile(file);
        });
    }

    /** Do `edit`, say what it returns or throws, and show the new state. */
    act(edit) {
        try {
            this.say(edit() || '');
        } catch (fault) {
            this.say(fault.message, true);
        }
        this.acted = true;
        this.refresh();
    }

    /** Do `work`, a promise, and say what it gives or why it failed. */
    async wait(work) {
        try {
            const said = await work();
            if (said) this.say(said);
        } catch (fault) {
            this.say(fault.message, true);
        }
    }

    say(text, failed = false) {
        const shown = text || say('hint');
        if (this.status.textContent !== shown) this.status.textContent = shown;
        this.status.classList.toggle('failed', failed);
    }

    history(name) {
        this.act(() => this.lab[name]() ? '' : say(`stage.nothing_to_${name}`));
    }

    openLink(hash) {
        this.act(() => {
            this.lab.take(readLink(this.lab.data, hash.slice(1)));
            return say('share.shown');
        });
    }

    /** Draw with network `index`, once it is unpacked; with the one before, if that cannot be. */
    async use(index) {
        const entry = this.lab.data.networks[index];
        this.wanted = index;
        this.say(say('stage.unpacking', {title: entry.title}));
        try {
            await this.host.generatorOf(entry);
            if (this.wanted === index) this.act(() => this.lab.use(index));
        } catch (fault) {
            this.act(() => { throw Error(say('stage.unusable', {fault: this.host.why(fault)})); });
        }
    }

    /** Draw the same vectors with network `index` beside, once it is unpacked; with none, if that is null. */
    async accompany(index) {
        const entry = this.lab.data.networks[index];
        this.beside = index;
        try {
            if (entry) {
                this.say(say('stage.unpacking', {title: entry.title}));
                await this.host.generatorOf(entry);
                if (entry.latent_dim !== this.lab.size) throw Error(say('stage.no_fit'));
            }
            if (this.beside === index) this.act(() => { this.lab.beside = index; });
        } catch (fault) {
            this.act(() => { throw Error(say('stage.unusable', {fault: this.host.why(fault)})); });
        }
    }

    /** Show the state in every part, and have the garments drawn, once for all that was done at one time. */
    refresh() {
        this.parts.forEach(show => show());
        this.due ??= Promise.resolve().then(() => this.draw());
        this.rest();
    }

    /** Draw the garments whose vectors have changed, and those that change meanwhile. */
    draw() {
        this.due = null;
        return this.drawing ??= this.catchUp().catch(fault => {
            this.say(say('start.undrawn', {fault: fault.message}), true);
        }).finally(() => { this.drawing = null; });
    }

    async catchUp() {
        for (let drew = true; drew;) {
            drew = await this.drawWith(this.lab.network, ['base', 'z']);
            const {companion} = this.lab;
            if (companion) drew = await this.drawWith(companion, ['beside']) || drew;
        }
    }

    /** Have `network` draw what it has yet to draw of `kinds`; whether there was something. */
    async drawWith(network, kinds) {
        const generator = await this.host.generatorOf(network), stale = this.stale(generator, kinds);
        if (!stale.length) return false;
        const images = await generator.sample(Float32Array.from(stale.flatMap(one => [...one.z])));
        stale.forEach(({of, row, z}, k) => {
            const image = images.slice(PIXELS * k, PIXELS * (k + 1));
            this.drawn[of][row] = {by: generator, z, image};
            this.stage.show(row, of);
        });
        this.rest();
        return true;
    }

    /** What `generator` has yet to draw: {of, row, z}, of `kinds`: base, z or beside. */
    stale(generator, kinds) {
        const {lab} = this, vectors = of => of === 'base' ? lab.base : lab.z;
        const all = kinds.flatMap(of => EVERY.map(row => ({of, row, z: lab.vector(row, vectors(of))})));
        return all.filter(({of, row, z}) => {
            const shown = this.drawn[of][row];
            return shown?.by !== generator || !same(z, shown.z);
        }).map(one => ({...one, z: one.z.slice()}));
    }

    /** When nothing has moved for a while: tell the host, keep the state in the film, and name the garments. */
    rest() {
        clearTimeout(this.resting);
        this.root.dataset.state = 'moving';
        this.resting = setTimeout(async () => {
            if (this.drawing) return this.rest();
            if (this.acted && !this.lab.held) this.host.rested(this);
            this.rests.forEach(follow => follow());
            const {resting} = this;
            await this.name().catch(() => {}); // without a classifier the garments have no names
            if (resting === this.resting) this.root.dataset.state = 'resting';
        }, REST);
    }

    async name() {
        const shown = [...this.drawn.z];
        if (shown.length < EVERY.length || shown.every(one => one.named)) return;
        const {classify, count, classes} = await this.host.classifierOf(this.lab);
        const chances = await classify(Float32Array.from(shown.flatMap(one => [...one.image])));
        shown.forEach((one, row) => {
            if (this.drawn.z[row] !== one) return;
            const own = [...chances.slice(count * row, count * (row + 1))], chance = Math.max(...own);
            this.stage.name(row, classes[own.indexOf(chance)], chance);
            one.named = true;
        });
    }
}
