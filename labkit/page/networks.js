// The networks that the page carries, each unpacked when it is first asked for.

import {makeClassifier, makeGenerator} from './engine.js';
import {Damaged, readWeights} from './weights.js';

const opened = new Map();

function open(entry, make) {
    if (!opened.has(entry)) opened.set(entry, read(entry.weights).then(numbers => make(entry, numbers)));
    return opened.get(entry);
}

async function read(name) {
    const holder = document.getElementById(`lab-weights-${name}`);
    if (!holder) throw new Damaged('a part of this file is missing');
    return readWeights(holder.textContent, holder.dataset.sha256);
}

/** The generator of an entry of lab-data's `networks`. Rejects if it is damaged. */
export const generatorOf = entry => open(entry, makeGenerator);

/** What names the pictures of a lab: {classify, count, classes}. Rejects if there is none, or it is damaged. */
export const classifierOf = async ({data: {classifier, classes}}) =>
    ({...await open(classifier, makeClassifier), classes});
