// What dimensions and directions were measured to do: effects beside random directions, and the search for a slider.

import {signed} from './vectors.js';
import {say} from './words.js';

const MOST = 24; // sliders that a search offers
const KINDS = ['more', 'only']; // of directions, by the beginning of the name: the last ones are offered first

/** Effects of `dim`, the largest beside random directions first, but for what it is called by: {name, title, mean,
 *  unit, score, low, high, special, signless}; none of a direction that came with a recipe. */
export function effects(lab, dim, count = 3) {
    if (!lab.network.effects) return [];
    const {names, titles, units, signless, mean, score, special, null_low: low, null_high: high} = lab.network.effects;
    const dimension = {mean: mean[dim], score: score[dim], special: special[dim]};
    const row = Number.isInteger(dim) ? dimension : lab.direction(dim);
    if (!row?.mean) return [];
    return names
        .map((name, k) => ({name, title: titles[k], unit: units[k], low: low[k], high: high[k], mean: row.mean[k],
            score: row.score[k], special: !!row.special[k], signless: signless[k]}))
        .sort((a, b) => (b.name === row.does) - (a.name === row.does) || Math.abs(b.score) - Math.abs(a.score))
        .slice(0, count);
}

const said = ({title, mean, unit}) => `${title} ${signed(mean)} ${unit}`.trim();

/** What fits `text`: a number, a name, or what it does; each {dim, title, words}. Without a text, the directions. */
export function search(lab, text) {
    const asked = text.trim().toLowerCase(), number = /^(?:z\[?)?\s*(\d+)\s*\]?$/.exec(asked);
    const words = effect => effect ? say('sliders.to_the_right', {effect: said(effect)}) : '';
    const dimension = (dim, effect) => ({dim, title: lab.title(dim), words: words(effect)});
    if (number) {
        const dim = Number(number[1]);
        return lab.knows(dim) ? [dimension(dim, effects(lab, dim)[0])] : [];
    }
    const {names, titles, also, units, mean, score} = lab.network.effects ?? {names: [], titles: [], also: []};
    const other = ({does}) => also[names.indexOf(does)] ?? ''; // words for what a direction changes
    const directions = lab.network.directions
        .filter(one => `${one.name} ${one.title} ${one.words} ${other(one)}`.toLowerCase().includes(asked))
        .sort((a, b) => exact(b, asked) - exact(a, asked) || called(b, asked) - called(a, asked) ||
            kind(b) - kind(a) || a.title.length - b.title.length)
        .map(({name, title, words}) => ({dim: name, title, words}));
    const isCalled = k => [names[k], titles[k], ...also[k].split(' ')].some(one => one.startsWith(asked));
    const k = asked ? [...names.keys()].findIndex(isCalled) : -1;
    if (k < 0) return directions.slice(0, MOST);
    const strongest = score.map((row, dim) => [Math.abs(row[k]), dim]).sort(([a], [b]) => b - a).slice(0, 4);
    return [...directions.slice(0, MOST - 4),
        ...strongest.map(([, dim]) => dimension(dim, {title: titles[k], mean: mean[dim][k], unit: units[k]}))];
}

const exact = ({name, title}, asked) => [name, title].some(one => one.toLowerCase() === asked);
const called = ({name, title}, asked) => `${name} ${title}`.toLowerCase().includes(asked);

const kind = ({name}) => KINDS.indexOf(name.split(' ')[0]);

/** A share of 1 as text. */
export const percent = x => `${Math.round(100 * x)} %`;
