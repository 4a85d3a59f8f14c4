// The lab on the page. What the reader does changes the state (lab.js); the state is shown in every part, and drawn.

import {makeFilm} from './film.js';
import {Lab} from './lab.js';
import {makeLike} from './like.js';
import {linkOf, readLink} from './link.js';
import {classifierOf, generatorOf} from './networks.js';
import {ownPanel} from './own.js';
import {padPanel} from './pad.js';
import {element} from './parts.js';
import {PIXELS} from './pictures.js';
import {sharePanel} from './share.js';
import {slidersPanel} from './sliders.js';
import {makeStage} from './stage.js';
import {makeTabs} from './tabs.js';
import {EVERY, same} from './vectors.js';
import {walkPanel} from './walk.js';
import {Damaged} from './weights.js';
import {say} from './words.js';

const REST = 180; // milliseconds without a move after which garments are named
const MARKS = ['edited', 'far', 'real', 'noise']; // words of lab.css
const TABS = ['sliders', 'pad', 'walk', 'find', 'share'];

/** The lab of lab-data: `root` is its element. Every part is given the view, and what it does goes through `act`. */
export class View {
    constructor(data) {
        this.lab = new Lab(data);
        this.drawn = {z: [], base: []}; // of each garment: {by, z, image} as shown, as it is and as it was
        this.root = element('div', {className: 'lab', innerHTML: `<div class="lab-left"></div>
            <div class="lab-right"></div><p class="lab-note"></p>`});
        this.root.setAttribute('role', 'group');
        this.root.setAttribute('aria-label', say('title'));
        for (const name of MARKS) this.root.style.setProperty(`--say-${name}`, `"${say(`marks.${name}`)}"`);
        const [left, right, note] = this.root.children;
        const {open, panels} = makeTabs(right, say('tabs.name'), TABS.map(name => [name, say(`tabs.${name}`)]));
        this.stage = makeStage(this, left);
        this.status = left.querySelector('.lab-status');
        const own = ownPanel(this, panels.find), takeKept = sharePanel(this, panels.share);
        const walk = walkPanel(this, panels.walk), like = makeLike(this, panels.walk), film = makeFilm(this, left);
        this.parts = [this.stage.refresh, slidersPanel(this, panels.sliders), padPanel(this, panels.pad),
            walk, like.refresh, film.refresh, own.refresh, () => {
                const {title, note: length} = this.lab.network;
                note.textContent = say('note', {title, length});
            }];
        this.rests = [film.keep, like.rest];
        right.querySelector('#lab-tab-share').addEventListener('focus', () => this.address());
        this.listen(file => {
            if (/json$/.test(file.type) || /\.(json|npy|csv|txt)$/i.test(file.name)) return takeKept(file);
            open('find');
            own.take(file);
        });
        this.say('');
    }

    /** Unpack the network, draw for the first time; a link in the address is opened. Rejects if the page is damaged. */
    async start() {
        await generatorOf(this.lab.network);
        if (location.hash.startsWith('#lab=')) this.openLink(location.hash);
        this.refresh();
        await this.draw();
        if (!this.drawn.z.length) throw Error(this.status.textContent);
    }

    /** What concerns the lab as a whole: pointers that hold, keys of undo, files that are dropped. */
    listen(takeFile) {
        const {root, lab} = this;
        root.addEventListener('pointerdown', () => lab.hold());
        for (const kind of ['pointerup', 'pointercancel'])
            window.addEventListener(kind, () => {
                if (!lab.held) return;
                lab.release();
                this.rest();
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

    /** Draw with network `index`, once it is unpacked; with the one before, if it is damaged. */
    async use(index) {
        const before = this.lab.index;
        this.act(() => {
            this.lab.use(index);
            return say('stage.unpacking', {title: this.lab.network.title});
        });
        try {
            await generatorOf(this.lab.network);
            this.act(() => '');
        } catch (fault) {
            this.act(() => {
                this.lab.use(before);
                const why = fault instanceof Damaged ? say('start.damaged') : fault.message;
                throw Error(say('stage.unusable', {fault: why}));
            });
        }
    }

    /** Show the state in every part, and have the garments drawn in the next frame. */
    refresh() {
        this.parts.forEach(show => show());
        this.due ??= requestAnimationFrame(() => this.draw());
        this.rest();
    }

    /** Draw the garments whose vectors have changed, and those that change meanwhile. */
    draw() {
        cancelAnimationFrame(this.due);
        this.due = null;
        return this.drawing ??= this.catchUp().catch(fault => {
            this.say(say('start.undrawn', {fault: fault.message}), true);
        }).finally(() => { this.drawing = null; });
    }

    async catchUp() {
        for (;;) {
            const generator = await generatorOf(this.lab.network), stale = this.stale(generator);
            if (!stale.length) return;
            const images = await generator.sample(Float32Array.from(stale.flatMap(one => [...one.z])));
            stale.forEach(({of, row, z}, k) => {
                const image = images.slice(PIXELS * k, PIXELS * (k + 1));
                this.drawn[of][row] = {by: generator, z, image};
                this.stage.show(row, image, of === 'z');
            });
            this.rest();
        }
    }

    /** What `generator` has yet to draw: {of, row, z}, of base or z. */
    stale(generator) {
        const all = ['base', 'z'].flatMap(of => EVERY.map(row => ({of, row, z: this.lab.vector(row, this.lab[of])})));
        return all.filter(({of, row, z}) => {
            const shown = this.drawn[of][row];
            return shown?.by !== generator || !same(z, shown.z);
        }).map(one => ({...one, z: one.z.slice()}));
    }

    /** When nothing has moved for a while: put the state into the address and the film, and name the garments. */
    rest() {
        clearTimeout(this.resting);
        this.root.dataset.state = 'moving';
        this.resting = setTimeout(async () => {
            if (this.drawing) return this.rest();
            if (this.acted && !this.lab.held) this.address();
            this.rests.forEach(follow => follow());
            const {resting} = this;
            await this.name().catch(() => {}); // without a classifier the garments have no names
            if (resting === this.resting) this.root.dataset.state = 'resting';
        }, REST);
    }

    async name() {
        const {classifier, classes} = this.lab.data, shown = [...this.drawn.z];
        if (!classifier || shown.length < EVERY.length || shown.every(one => one.named)) return;
        const {classify, count} = await classifierOf(classifier);
        const chances = await classify(Float32Array.from(shown.flatMap(one => [...one.image])));
        shown.forEach((one, row) => {
            if (this.drawn.z[row] !== one) return;
            const own = [...chances.slice(count * row, count * (row + 1))], chance = Math.max(...own);
            this.stage.name(row, classes[own.indexOf(chance)], chance);
            one.named = true;
        });
    }

    /** Put the state into the address of the page, and that where it can be copied. */
    address() {
        const link = `#${linkOf(this.lab)}`;
        try {
            history.replaceState(null, '', link);
        } catch {
            /* a page without an address of its own */
        }
        this.root.querySelector('.lab-link').value = location.href.split('#')[0] + link;
    }
}
