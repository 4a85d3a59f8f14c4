// Where the lab begins in a notebook: anywidget calls `render` for each place in which the editor is shown.

import {keepPanel} from './keep.js';
import {Kernel} from './kernel.js';
import {element} from './parts.js';
import {startPulse} from './pulse.js';
import {same} from './vectors.js';
import {View} from './view.js';
import {say, speak} from './words.js';

const lost = window.labkitLost ??= new Map(); // the state of labs whose kernel is no more, by notebook

/** Show the lab of `model`, anywidget's, in `el`; gives what takes it away. */
export async function render({model, el}) {
    const data = structuredClone(model.get('contents'));
    speak(data.words);
    el.classList.add('labkit-editor', 'lab-here', 'live');
    let view = null, known = null; // what the kernel knows of the lab's state
    const kernel = new Kernel(model, () => {
        const state = view && stateOf(view.lab);
        if (!state || equal(state, known)) return null;
        known = {fields: state.fields, parts: state.parts.map(part => part.slice())};
        return state;
    }, (message, parts) => hear[message.tell]?.(message, parts));
    const keep = keepPanel(kernel);
    let kept = null;
    const host = {
        generatorOf: entry => kernel.generatorOf(entry), classifierOf: lab => kernel.classifierOf(lab),
        why: fault => fault.message, rested: () => view.wait(() => kernel.ask('state').then(() => '')),
        measure: entry => kernel.ask('measure', {run: entry.run}).then(({network}) => Object.assign(entry, network)),
        seed: seed => kernel.ask('seed', {seed}).then(({said}) => said),
        panels: [['keep', (...place) => { kept = keep(...place); return kept; }]],
    };
    const place = run => {
        const index = data.networks.findIndex(one => one.run === run);
        return index < 0 ? data.networks.push({run, title: run, note: '', directions: []}) - 1 : index; // a new one
    };
    const brought = ({run, fields}, [z, base]) =>
        ({...fields, z, base, extra: new Map(fields.extra), index: place(run)});
    const take = async (message, parts) => {
        if (message.by === kernel.name) return;
        const next = brought(message, parts);
        await kernel.generatorOf(data.networks[next.index]);
        view.act(() => {
            view.lab.take(next);
            known = {fields: stateOf(view.lab).fields, parts};
            if (message.failed) throw Error(message.said);
            return message.said;
        });
    };
    const gone = element('p', {className: 'lab-gone', hidden: true, textContent: say('kernel.over')});
    const back = element('button', {type: 'button', textContent: say('kernel.back')});
    back.addEventListener('click', () => view.wait(() => kernel.ask('back')));
    gone.append(' ', back);
    const hear = {
        state: take,
        said: ({said, failed}) => view.say(said, failed),
        progress: ({share}) => view.say(say('kernel.progress', {share: Math.round(100 * share)})),
        over: () => { [view.root.hidden, gone.hidden] = [true, false]; },
        here: () => { [view.root.hidden, gone.hidden] = [false, true]; },
    };
    view = new View(data, host);
    el.append(view.root, gone);
    const {parts, open, ...now} = await kernel.ask('hello');
    kept.show(now);
    const lab = Object.assign(view.lab, brought(now, parts));
    await view.start();
    if (!open) hear.over();
    whole(el);
    const page = el.closest('.jp-NotebookPanel')?.id ?? '', before = lost.get(page);
    if (before && now.fresh && before.z.length === lab.z.length) view.act(() => {
        lab.take(before);
        return say('kernel.brought_back');
    });
    lost.delete(page);
    const end = startPulse(view, kernel, () => {
        const {z, base, mode, chosen} = lab, rows = lab.rows.filter(Number.isInteger);
        lost.set(page, {z, base, mode, chosen, rows});
    });
    window.addEventListener('keydown', ownKeys, true);
    el.addEventListener('keydown', event => {
        if (own(event)) event.stopPropagation(); // nor is it the notebook's
    });
    return () => {
        end();
        window.removeEventListener('keydown', ownKeys, true);
        kernel.close();
    };
}

// A reader who has run the cell sees its beginning, and is shown the whole; one who reads elsewhere stays there.
function whole(el) {
    const pane = el.closest('.jp-WindowedPanel-outer')?.getBoundingClientRect(), box = el.getBoundingClientRect();
    if (pane && box.top > pane.top && box.top < pane.bottom && box.bottom > pane.bottom)
        el.scrollIntoView({block: 'start'});
}

// A letter alone is the lab's; JupyterLab, which would delete a cell at d d, looks for this mark on what has the focus.
// Together with Ctrl or Alt, or as Shift+Enter, it is JupyterLab's.
function ownKeys(event) {
    if (event.target.closest?.('.labkit-editor'))
        event.target.toggleAttribute('data-lm-suppress-shortcuts', own(event));
}
const own = ({ctrlKey, metaKey, altKey, shiftKey, key}) =>
    !(ctrlKey || metaKey || altKey || shiftKey && key === 'Enter');

// What the kernel is to know of `lab`.
const stateOf = ({z, base, network, rows, mode, chosen}) =>
    ({fields: JSON.stringify({run: network.run, rows, mode, chosen}), parts: [z, base]});

const equal = (a, b) => a.fields === b?.fields &&
    a.parts.every((part, k) => part.length === b.parts[k].length && same(part, b.parts[k]));
