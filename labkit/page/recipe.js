// Recipes, those of the live editor: labkit/editor/recipe.py, whose format and limits come with the page.

import {Lab} from './lab.js';
import {EVERY, FAR, GARMENTS, norm} from './vectors.js';
import {say} from './words.js';

const LONGEST = 2e6; // characters

/** The present state of `lab` as the content of a recipe. */
export function recipeOf(lab) {
    const named = lab.rows.filter(dim => typeof dim === 'string');
    const split = of => EVERY.map(row => [...lab.vector(row, of)]);
    return JSON.stringify({
        format: lab.data.recipe.format,
        run: lab.network.run,
        generator_sha256: lab.network.generator_sha256,
        seed: lab.data.base.seed,
        dims: lab.rows,
        directions: Object.fromEntries(named.map(name => [name, lab.direction(name).unit])),
        base: split(lab.base),
        z: split(lab.z),
    });
}

/** Whether `file` may be a recipe: JSON, and no list, which is of vectors. */
export const isRecipe = async file =>
    /json/.test(file.type + file.name) && !/^\s*\[/.test(await file.slice(0, 99).text());

/** The state that the recipe in `text` keeps, for `Lab.take`. Throws a line that can be shown. */
export function readRecipe(data, text) {
    const recipe = parsed(text, data.recipe.format), next = new Lab(data), digest = recipe.generator_sha256;
    next.index = data.networks.findIndex(one => one.generator_sha256 === digest);
    if (next.index < 0)
        throw Error(say('recipe.network', {run: String(recipe.run).slice(0, 60), digest: String(digest).slice(0, 8)}));
    const [base, z] = [recipe.base, recipe.z].map(all => vectors(all, next.size, GARMENTS));
    for (const [name, unit] of Object.entries(recipe.directions ?? {})) {
        const sound = vectors([unit], next.size, 1) && Math.abs(norm(unit) - 1) < 1e-3;
        if (!sound || name.length > data.recipe.letters)
            throw Error(say('recipe.direction'));
        const known = next.direction(name);
        if (!known?.unit.every((u, k) => Math.abs(u - unit[k]) < 1e-5))
            next.extra.set(name, {name, unit, title: known?.method});
    }
    const dims = Array.isArray(recipe.dims) && recipe.dims.length <= data.recipe.sliders && [...new Set(recipe.dims)];
    if (!base || !z || !dims || !dims.every(dim => next.knows(dim)))
        throw Error(say('recipe.damaged', {far: Math.floor(FAR)}));
    return {index: next.index, rows: dims, extra: next.extra, base, z};
}

function parsed(text, format) {
    if (text.length > LONGEST) throw Error(say('recipe.too_large'));
    let recipe;
    try {
        recipe = JSON.parse(text);
    } catch {
        throw Error(say('recipe.not_json'));
    }
    if (recipe?.format !== format) throw Error(say('recipe.format', {format}));
    return recipe;
}

// `count` lists of `size` numbers that the page can draw, as one array; null if they are not that.
function vectors(lists, size, count) {
    const sound = list => Array.isArray(list) && list.length === size &&
        list.every(x => Number.isFinite(x) && Math.abs(x) <= FAR);
    const all = Array.isArray(lists) && lists.length === count && lists.every(sound);
    return all ? Float32Array.from(lists.flat()) : null;
}
