// What the reader sees in words: labkit/texts, the file lab.toml, in the language of the page.

let words = {};

/** Speak with `table`, lab-data's `words`: texts by their keys. */
export const speak = table => { words = table; };

/** The text `key`, with `fields` in its {fields}. */
export function say(key, fields = {}) {
    if (!(key in words)) throw RangeError(`there is no text ${key}`);
    return words[key].replace(/\{(\w+)\}/g, (field, name) => fields[name] ?? field);
}

/** `names` as a text says them: a, b and c; `and` is the key of what joins the last one. */
export function listed(names, and = 'list.and') {
    const first = names.slice(0, -1).join(say('list.between'));
    return names.length > 1 ? say(and, {first, last: names.at(-1)}) : String(names[0]);
}
