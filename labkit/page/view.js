// The lab on the page: a stage of eight garments, sliders, and what else moves them. What can be done is in lab.js.

import {makeClassifier, makeGenerator, readWeights, supported} from './engine.js';
import {GARMENTS, Lab, brightness, norm, width} from './lab.js';
import {paint} from './draw.js';
import {showGrowth} from './growth.js';
import {effectLine, slider} from './sliders.js';
import {findPanel, padPanel, sharePanel, walkPanel} from './panels.js';

const ALL = [...Array(GARMENTS).keys()],
    REST = 180; // milliseconds without a move after which garments are named
const AHEAD = '900px 0px'; // how far below the screen the lab is made ready
const TABS = [
    ['sliders', 'Sliders'],
    ['pad', 'Pad'],
    ['walk', 'Walk'],
    ['find', 'Draw'],
    ['share', 'Share'],
];
const HINT = 'Move a slider: the garments follow. Click a garment to change it alone.';

/** Make what the page holds live, each part when the reader comes near it. */
export function boot() {
    let data;
    try {
        data = JSON.parse(document.getElementById('lab-data').textContent);
    } catch {
        return;
    }
    const [lab, growth] = ['.lab-here', '.growth-here'].map(name => document.querySelector(name));
    const linked = () => location.hash.startsWith('#lab=');
    if (lab) {
        const opened = once(() => openLab(lab, data));
        if (linked())
            loaded()
                .then(opened)
                .then(view => view?.root.scrollIntoView());
        else near(lab, opened);
        window.addEventListener('hashchange', async () => {
            if (linked()) (await opened())?.openLink(location.hash);
        });
    }
    if (growth && data.training && typeof DecompressionStream === 'function') {
        near(growth, () => showGrowth(growth, data.training).catch(() => growth.replaceChildren()));
    }
}

const loaded = () =>
    new Promise(done =>
        document.readyState === 'complete' ? done() : window.addEventListener('load', done, {once: true}),
    );

function once(act) {
    let result;
    return () => (result ??= act());
}

function near(place, act) {
    const observer = new IntersectionObserver(
        entries => {
            if (entries.some(entry => entry.isIntersecting)) {
                observer.disconnect();
                act();
            }
        },
        {rootMargin: AHEAD},
    );
    observer.observe(place);
}

/** The lab in `place`, whose figure it takes the place of; or, where that fails, one sentence below the figure. */
async function openLab(place, data) {
    let why = supported(),
        view;
    if (!why) {
        try {
            view = new View(data);
            await view.start();
            place.prepend(view.root);
            place.classList.add('live');
            return view;
        } catch (fault) {
            why = /damaged/.test(fault?.message)
                ? 'The weights in this file are damaged.'
                : `The generator did not start (${fault?.message ?? fault}).`;
        }
    }
    const note = document.createElement('p');
    note.className = 'lab-note';
    note.textContent = `${why.replace(/\.?$/, '.')} So the figure shows the editor at rest.`;
    place.append(note);
    return null;
}

const weights = name => {
    const holder = document.getElementById(`lab-weights-${name}`);
    if (!holder) throw Error('damaged: a part of this file is missing');
    return readWeights(holder.textContent, holder.dataset.sha256);
};

export class View {
    constructor(data) {
        this.lab = new Lab(data);
        this.generators = [];
        this.sliders = new Map();
        this.images = []; // of each garment: {z, image} as shown, and the same of its base
        this.bases = [];
        this.focus = this.lab.rows[0]; // whose effects are shown
        this.root = document.createElement('div');
        Object.assign(this.root, {className: 'lab', innerHTML: skeleton(data)});
        this.root.setAttribute('role', 'group');
        this.root.setAttribute('aria-label', 'The generator, live');
        this.status = this.part('status');
        this.build();
    }

    part(name) {
        return this.root.querySelector(`.lab-${name}`);
    }

    parts(name) {
        return [...this.root.querySelectorAll(`.lab-${name}`)];
    }

    /** Unpack the network, draw for the first time; a link in the address is opened. Rejects if the page is damaged. */
    async start() {
        await this.generator();
        if (location.hash.startsWith('#lab=')) this.openLink(location.hash);
        this.refresh();
        await this.draw();
        if (!this.images.length) throw Error(this.status.textContent);
    }

    /** The generator of the network that is chosen. */
    async generator() {
        const {index, network} = this.lab;
        this.generators[index] ??= weights(network.weights).then(numbers => makeGenerator(network, numbers));
        return this.generators[index];
    }

    build() {
        this.buildStage();
        this.buildTabs();
        this.buildSliders();
        this.panels = [padPanel, walkPanel, findPanel, sharePanel].map(make => make(this));
        const {root, lab} = this;
        root.querySelectorAll('[name=lab-network] + span').forEach((text, k) => {
            text.textContent = lab.data.networks[k].title;
        });
        this.say('');
        root.addEventListener('pointerdown', () => {
            this.held = true;
        });
        for (const kind of ['pointerup', 'pointercancel']) {
            window.addEventListener(kind, () => {
                if (this.held) lab.release();
                this.held = false;
            });
        }
        root.addEventListener('keydown', event => {
            const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z';
            if (!undo || event.target.matches('input:not([type=range])')) return;
            event.preventDefault();
            this.history(event.shiftKey ? 'redo' : 'undo');
        });
        const acts = {
            all: () => {
                lab.choose(ALL);
                this.garments.find(button => !button.tabIndex).focus();
            },
            reset: () =>
                this.part('reset').ariaDisabled === 'true' ? 'The chosen garments are as they were.' : lab.reset(),
        };
        for (const [name, act] of Object.entries(acts)) this.part(name).addEventListener('click', () => this.act(act));
        for (const name of ['undo', 'redo']) this.part(name).addEventListener('click', () => this.history(name));
        root.querySelectorAll('[name=lab-network]').forEach((radio, k) =>
            radio.addEventListener('change', () => this.use(k)),
        );
        root.querySelectorAll('[name=lab-mode]').forEach(radio =>
            radio.addEventListener('change', () =>
                this.act(() => {
                    lab.mode = radio.value;
                    lab.release();
                }),
            ),
        );
    }

    /** Draw with network `index`, once it is unpacked; with the one before, if it is damaged. */
    async use(index) {
        const before = this.lab.index;
        this.act(() => {
            this.lab.use(index);
            return `The ${this.lab.network.title} is unpacked …`;
        });
        try {
            await this.generator();
            this.act(() => '');
        } catch (fault) {
            this.act(() => {
                this.lab.use(before);
                throw Error(`That network cannot be used: ${fault.message}`);
            });
        }
    }

    history(name) {
        this.act(() => (this.lab[name]() ? '' : `There is nothing to ${name}.`));
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
        if (this.status.textContent !== (text || HINT)) this.status.textContent = text || HINT;
        this.status.classList.toggle('failed', failed);
    }

    openLink(hash) {
        this.act(() => {
            this.lab.open(hash.slice(1));
            return 'This is what the link shows.';
        });
    }

    // ----- the stage

    buildStage() {
        this.garments = this.parts('garment');
        this.garments.forEach((button, row) => {
            button.addEventListener('click', () => this.act(() => this.lab.click(row)));
            button.addEventListener('focus', () =>
                this.garments.forEach(other => {
                    other.tabIndex = other === button ? 0 : -1;
                }),
            );
        });
        this.part('stage').addEventListener('keydown', event => {
            const across = getComputedStyle(this.part('stage')).gridTemplateColumns.split(' ').length;
            const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across}[event.key];
            const next = this.garments[this.garments.indexOf(event.target) + step];
            if (!step || !next) return;
            event.preventDefault();
            next.focus();
        });
    }

    /** Show the state in every control, and have the garments drawn in the next frame. */
    refresh() {
        const {lab} = this,
            all = lab.chosen.length === GARMENTS,
            edited = lab.edited();
        this.garments.forEach((button, row) => {
            button.setAttribute('aria-pressed', String(lab.chosen.includes(row)));
            button.classList.toggle('edited', edited.includes(row));
            const length = norm(lab.vector(row));
            button.querySelector('.length').textContent = `|z| ${length.toFixed(1)}`;
            button.querySelector('.length').classList.toggle('far', Math.abs(length - Math.sqrt(lab.size - 0.5)) > 2.1);
        });
        const numbers = lab.chosen.map(row => row + 1),
            last = numbers.at(-1);
        this.part('who').textContent = all
            ? 'all eight garments'
            : numbers.length === 1
              ? `garment ${last}`
              : `garments ${numbers.slice(0, -1).join(', ')} and ${last}`;
        this.part('all').hidden = all;
        const idle = {
            undo: !lab.done.length,
            redo: !lab.undone.length,
            reset: !lab.chosen.some(row => edited.includes(row)),
        };
        for (const [name, nothing] of Object.entries(idle))
            this.part(name).setAttribute('aria-disabled', String(nothing)); // keeps the focus
        this.root.querySelectorAll('[name=lab-network]').forEach((radio, k) => {
            radio.checked = k === lab.index;
        });
        this.root.querySelectorAll('[name=lab-mode]').forEach(radio => {
            radio.checked = radio.value === lab.mode;
        });
        this.part('note').textContent =
            `${lab.network.title}, ${lab.network.note}. Below each garment: its class as a classifier sees it,` +
            ' as it was drawn, brightness in grey levels, columns of pixels it covers, length of its vector.';
        this.showSliders();
        this.panels.forEach(panel => panel.refresh?.());
        this.soon();
        this.rest();
    }

    soon() {
        this.due ??= requestAnimationFrame(() => this.draw());
    }

    /** Draw the garments whose vectors have changed. While it draws, moves add up to one more drawing. */
    async draw() {
        cancelAnimationFrame(this.due);
        this.due = null;
        if (this.drawing) {
            this.again = true;
            return;
        }
        this.drawing = true;
        try {
            const generator = await this.generator(),
                {lab} = this;
            const stale = [
                [lab.base, this.bases],
                [lab.z, this.images],
            ].flatMap(([of, shown]) =>
                ALL.filter(
                    row => shown[row]?.by !== generator || lab.vector(row, of).some((x, k) => x !== shown[row].z[k]),
                ).map(row => ({row, shown, z: lab.vector(row, of).slice()})),
            );
            const z = Float32Array.from(stale.flatMap(one => [...one.z]));
            const images = stale.length ? await generator.sample(z) : [];
            stale.forEach(({row, shown, z: at}, k) => {
                shown[row] = {by: generator, z: at, image: images.slice(784 * k, 784 * (k + 1))};
                this.showGarment(row, shown === this.images);
            });
            if (stale.length) this.rest();
        } catch (fault) {
            this.say(`The garments could not be drawn (${fault.message}).`, true);
        }
        this.drawing = false;
        if (this.again) {
            this.again = false;
            this.soon();
        }
    }

    showGarment(row, edited) {
        const button = this.garments[row],
            {image} = (edited ? this.images : this.bases)[row];
        paint(button.querySelector(edited ? '.picture' : '.before'), levels(image));
        if (!edited) return;
        button.querySelector('.bright').textContent = brightness(image).toFixed(0);
        button.querySelector('.wide').textContent = `${width(image)} px`;
        button.classList.add('stale');
    }

    /** When nothing has moved for a while: name the garments, and put the state into the address. */
    rest() {
        clearTimeout(this.resting);
        this.root.dataset.state = 'moving';
        this.resting = setTimeout(async () => {
            if (this.drawing) return this.rest();
            if (this.acted && !this.held) this.address();
            const {resting} = this;
            await this.name().catch(() => {}); // without a classifier the garments have no names
            if (resting === this.resting) this.root.dataset.state = 'resting';
        }, REST);
    }

    async name() {
        const {lab, images} = this,
            {classifier, classes} = lab.data;
        if (!classifier || !ALL.every(row => images[row]) || images.every(one => one.named)) return;
        this.classifier ??= weights(classifier.weights).then(numbers => makeClassifier(classifier, numbers));
        const seen = ALL.map(row => images[row].image),
            all = new Float32Array(GARMENTS * 784);
        seen.forEach((image, row) => all.set(image, 784 * row));
        const chances = await (await this.classifier).classify(all);
        ALL.filter(row => images[row].image === seen[row]).forEach(row => {
            const n = classes.length,
                own = [...chances.slice(n * row, n * row + n)],
                best = own.indexOf(Math.max(...own)),
                button = this.garments[row];
            button.querySelector('.class').textContent = classes[best];
            button.querySelector('.chance').textContent = `${Math.round(100 * own[best])} %`;
            button.classList.remove('stale');
            images[row].named = true;
        });
    }

    /** Put the state into the address of the page, and that where it can be copied. */
    address() {
        const link = `#${this.lab.link()}`;
        try {
            history.replaceState(null, '', link);
        } catch {
            /* a page without an address of its own */
        }
        this.part('link').value = location.href.split('#')[0] + link;
    }

    // ----- tabs

    buildTabs() {
        const tabs = this.parts('tab'),
            open = tab => {
                tabs.forEach(other => {
                    const on = other === tab;
                    other.setAttribute('aria-selected', String(on));
                    other.tabIndex = on ? 0 : -1;
                    this.part(`panel-${other.dataset.name}`).hidden = !on;
                });
            };
        this.show = name => open(tabs.find(tab => tab.dataset.name === name));
        tabs.at(-1).addEventListener('focus', () => this.address());
        tabs.forEach((tab, k) => {
            tab.addEventListener('click', () => open(tab));
            tab.addEventListener('keydown', event => {
                const to = {ArrowLeft: k - 1, ArrowRight: k + 1, Home: 0, End: tabs.length - 1}[event.key];
                if (to === undefined) return;
                event.preventDefault();
                const next = tabs[(to + tabs.length) % tabs.length];
                open(next);
                next.focus();
            });
        });
        open(tabs[0]);
    }

    // ----- sliders

    buildSliders() {
        const search = this.part('search'),
            list = this.part('found');
        let options = [],
            at = -1;
        const close = () => {
            list.hidden = true;
            search.setAttribute('aria-expanded', 'false');
            at = -1;
            mark();
        };
        const mark = () => {
            [...list.children].forEach((item, k) => item.setAttribute('aria-selected', String(k === at)));
            if (at >= 0) {
                search.setAttribute('aria-activedescendant', list.children[at].id);
                list.children[at].scrollIntoView({block: 'nearest'});
            } else search.removeAttribute('aria-activedescendant');
        };
        const take = option => {
            if (!option)
                return this.say('Nothing of that name: type a number, or a word such as width or texture.', true);
            this.add(option.dim);
            search.value = '';
            return close();
        };
        const open = () => {
            options = this.lab.search(search.value);
            list.replaceChildren(
                ...options.map(({title, words}, k) => {
                    const item = document.createElement('li'),
                        name = document.createElement('b'),
                        what = document.createElement('span');
                    [item.id, name.textContent, what.textContent] = [`lab-found-${k}`, title, words];
                    item.setAttribute('role', 'option');
                    item.append(name, what);
                    item.addEventListener('pointerdown', event => event.preventDefault()); // the search keeps the focus
                    item.addEventListener('click', () => take(options[k]));
                    return item;
                }),
            );
            list.hidden = !options.length;
            search.setAttribute('aria-expanded', String(!list.hidden));
            at = -1;
            mark();
        };
        search.addEventListener('input', open);
        search.addEventListener('focus', open);
        search.addEventListener('blur', close);
        search.addEventListener('keydown', event => {
            if (event.key === 'Escape') close();
            else if (event.key === 'Enter') take(options[Math.max(0, at)]);
            else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
                if (list.hidden) open();
                at =
                    (at +
                        (event.key === 'ArrowDown' ? 1 : options.length) +
                        (at < 0 && event.key === 'ArrowUp' ? 1 : 0)) %
                    options.length;
                mark();
            } else return;
            event.preventDefault();
        });
    }

    /** A slider for `dim`, lit, where one sees it. */
    add(dim) {
        this.act(() => {
            this.focus = dim;
            return this.lab.add(dim)
                ? `${this.lab.title(dim)} has a slider.`
                : `${this.lab.title(dim)} has a slider already.`;
        });
        const {row} = this.sliders.get(dim);
        row.classList.remove('new');
        row.getBoundingClientRect(); // so that the light begins anew
        row.classList.add('new');
        this.part('rows').scrollTop = row.offsetTop - this.part('rows').offsetTop - 8;
    }

    showSliders() {
        const {lab} = this,
            list = this.part('rows');
        for (const [dim, {row}] of this.sliders) {
            if (!lab.rows.includes(dim)) {
                row.remove();
                this.sliders.delete(dim);
            }
        }
        lab.rows.forEach((dim, k) => {
            if (!this.sliders.has(dim)) this.sliders.set(dim, slider(this, dim));
            const {row, range, number} = this.sliders.get(dim),
                {value, mixed} = lab.shown(dim);
            if (list.children[k] !== row) list.insertBefore(row, list.children[k] || null);
            if (document.activeElement !== range || !this.held) range.value = value;
            if (document.activeElement !== number || number.dataset.done) number.value = value.toFixed(2);
            range.style.setProperty('--at', `${50 + 50 * Math.max(-1, Math.min(1, value / lab.data.range))}%`);
            range.setAttribute('aria-valuetext', `${value.toFixed(2)}${mixed ? ', the garments differ' : ''}`);
            row.classList.toggle('mixed', mixed);
            row.classList.toggle('moved', lab.mode === 'shift' && (value !== 0 || mixed));
        });
        if (!lab.rows.includes(this.focus)) this.focus = lab.rows[0];
        this.showEffects();
    }

    /** What the dimension that moves does, beside random directions. */
    showEffects() {
        const dim = this.focus,
            place = this.part('effects'),
            key = `${this.lab.index} ${dim}`;
        this.sliders.forEach(({row}, of) => row.classList.toggle('focus', of === dim));
        if (place.dataset.of === key) return;
        place.dataset.of = key;
        place.replaceChildren();
        if (dim === undefined) return;
        const {lab} = this,
            found = lab.effects(dim),
            head = document.createElement('p'),
            direction = lab.direction(dim);
        const purity = direction?.purity === undefined ? '' : ` Purity ${Math.round(100 * direction.purity)} %.`;
        head.append(Object.assign(document.createElement('b'), {textContent: lab.title(dim)}));
        const more = found.filter(one => one.special).map(one => one.name);
        const {vectors} = lab.network.effects;
        const verdict = more.length
            ? `more than a random direction in ${more.join(' and ')}`
            : 'no more than a random direction';
        head.append(
            found.length
                ? ` from −3 to 3, mean over ${vectors.toLocaleString('en')} garments: ${verdict}.${purity}`
                : ' came with a recipe: it was not measured.',
        );
        place.append(head, ...found.map(effectLine));
    }
}

const levels = image => Uint8ClampedArray.from(image, x => (x + 1) * 127.5);

function skeleton(data) {
    const garment =
        k => `<button type="button" class="lab-garment" aria-pressed="true" tabindex="${k ? -1 : 0}"><span
            class="number">${k + 1}</span>
        <canvas class="picture" width="28" height="28"></canvas><span class="seen"><span class="class"></span> <span
            class="chance"></span></span>
        <canvas class="before" width="28" height="28"></canvas><span class="measures"><span><span
            class="bright"></span><span class="unit"> grey</span></span> <span class="wide"></span>
        <span class="length"></span></span></button>`;
    const radio = (group, value, text) =>
        `<label><input type="radio" name="lab-${group}" value="${value}"><span>${text}</span></label>`;
    const networks =
        data.networks.length > 1
            ? `<fieldset class="lab-choice"><legend
                class="lab-hidden">network</legend>${data.networks
                  .map((_, k) => radio('network', k, ''))
                  .join('')}</fieldset>`
            : '';
    return `<div class="lab-left">
    <div class="lab-head">${networks}<p>Edits change <b class="lab-who"></b> <button type="button"
        class="lab-all lab-plain">all</button></p>
        <div class="lab-tools"><button type="button" class="lab-undo" title="Ctrl+Z">Undo</button><button
            type="button" class="lab-redo" title="Ctrl+Shift+Z">Redo</button>
        <button type="button" class="lab-reset" title="the chosen garments as they were">Reset</button></div></div>
    <div class="lab-stage" role="toolbar" aria-label="Garments that edits change">${ALL.map(garment).join('')}</div>
    <p class="lab-status" role="status"></p></div>
<div class="lab-right">
    <div class="lab-tabs" role="tablist" aria-label="Ways to change the garments">${TABS.map(
        ([name, text]) =>
            `<button type="button" role="tab" class="lab-tab" id="lab-tab-${name}" data-name="${name}"
                aria-controls="lab-panel-${name}">${text}</button>`,
    ).join('')}</div>
    ${TABS.map(
        ([name]) =>
            `<div role="tabpanel" class="lab-panel lab-panel-${name}" id="lab-panel-${name}"
                aria-labelledby="lab-tab-${name}"></div>`,
    )
        .join('')
        .replace('lab-tab-sliders"></div>', `lab-tab-sliders">${slidersPanel(radio)}</div>`)}
</div>
<p class="lab-note"></p>`;
}

const slidersPanel =
    radio => `<div class="lab-line"><fieldset class="lab-choice"><legend class="lab-hidden">what a slider does</legend>
        ${radio('mode', 'shift', 'shift by')}${radio('mode', 'set', 'set to')}</fieldset>
    <div class="lab-finder"><input type="text" class="lab-search" role="combobox" aria-expanded="false"
        aria-controls="lab-found" aria-autocomplete="list"
        autocomplete="off" spellcheck="false" aria-label="Add a slider: a dimension from 0 to 99, or what it does"
        placeholder="Add: a number, width, texture …"><ul class="lab-found" id="lab-found" role="listbox" tabindex="-1"
            aria-label="Sliders to add" hidden></ul></div></div>
    <ul class="lab-rows"></ul><div class="lab-effects"></div>
    <p class="lab-keys" id="lab-keys">Arrow keys move by 0.1, with Shift by 0.01, Page Up and Down by 1;
        Backspace resets, Delete removes.</p>`;

if (typeof document !== 'undefined') boot();
