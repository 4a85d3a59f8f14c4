// Pointers and keys on the garments: a click chooses, a double click pins, a drag walks from one to another.

import {percent} from './atlas.js';
import {capture} from './parts.js';
import {clipped, dot} from './vectors.js';
import {say} from './words.js';

const STILL = 8; // pixels that a click may move
const TWICE = 350; // milliseconds within which a second tap makes a double one
const FAR_OFF = 0.1; // radians that a garment's distance, in widths of one, counts against it

/** Let `buttons`, the garments of `view`, be chosen, pinned and dragged onto one another. */
export function gripGarments(view, buttons) {
    const drags = buttons.map((_button, row) => new Drag(view, buttons, row));
    clicks(view, buttons, row => drags[row].began);
}

/** Clicks, and the key that pins; after a press that `dragged` a garment there is none. */
function clicks(view, buttons, dragged) {
    const {lab} = view;
    let touch = false, last = {}; // click: {row, count, at, chosen}, chosen before it
    const pin = row => view.act(() => say(lab.pin(row) ? 'stage.now_pinned' : 'stage.now_free', {k: row + 1}));
    buttons.forEach((button, row) => {
        button.addEventListener('pointerdown', event => { touch = event.pointerType === 'touch'; });
        button.addEventListener('click', event => {
            const joins = event.shiftKey || event.ctrlKey || event.metaKey, now = performance.now();
            if (event.detail && dragged(row)) return;
            const again = last.row === row && (event.detail === last.count + 1 || touch && now - last.at < TWICE);
            if (again && event.detail && !joins) {
                lab.choose(last.chosen);
                last = {};
                return pin(row);
            }
            last = {row, count: joins ? NaN : event.detail, at: now, chosen: lab.chosen};
            const all = lab.chosen.length === buttons.length; // the first tap takes one of all
            view.act(() => lab.click(row, joins || touch && event.detail > 0 && !all));
        });
        button.addEventListener('keydown', event => {
            if (event.key.toLowerCase() !== 'p' || event.ctrlKey || event.metaKey || event.altKey) return;
            event.preventDefault();
            pin(row);
        });
    });
}

/** A press on garment `row` that may become a walk to another. */
class Drag {
    constructor(view, buttons, row) {
        Object.assign(this, {view, buttons, row, press: null, began: false, target: null});
        const button = buttons[row], at = event => [event.clientX, event.clientY];
        button.addEventListener('pointerdown', event => {
            this.began = false;
            if (event.button || !event.isPrimary) return;
            this.press = at(event);
            capture(button, event);
        });
        button.addEventListener('pointermove', event => this.press && this.pull(at(event)));
        button.addEventListener('pointerup', () => this.end());
        for (const kind of ['pointercancel', 'lostpointercapture'])
            button.addEventListener(kind, () => this.press && this.cancel());
        this.escape = event => {
            if (event.key !== 'Escape') return;
            event.preventDefault();
            this.cancel();
        };
    }

    /** The pointer is at `point`, [x, y]: go as far to the garment there as it has come. */
    pull(point) {
        const {view: {lab}, row, press} = this, moved = difference(point, press);
        if (!this.began && Math.hypot(...moved) <= STILL) return;
        if (!this.began) {
            Object.assign(this, {began: true, from: lab.vector(row).slice(), undone: lab.undone});
            window.addEventListener('keydown', this.escape, true);
        }
        const boxes = this.buttons.map(button => button.getBoundingClientRect());
        const target = aim(boxes, row, press, point) ?? this.target;
        if (target === null) return;
        this.mark(target);
        const way = difference(middle(boxes[target]), press), t = clipped(dot(moved, way) / dot(way, way), 0, 1);
        this.view.act(() => {
            lab.walk(row, target, t, this.from);
            return say('walk.there', {x: percent(t), start: row + 1, end: target + 1});
        });
    }

    mark(target) {
        this.target = target;
        this.buttons.forEach((button, k) => {
            button.classList.toggle('dragged', target !== null && k === this.row);
            button.classList.toggle('target', k === target);
        });
    }

    end() {
        this.press = null;
        this.mark(null);
        window.removeEventListener('keydown', this.escape, true);
    }

    /** As if nothing had been dragged. */
    cancel() {
        const {lab} = this.view, walked = this.target !== null && lab.path?.start === this.row;
        this.end();
        if (walked) this.view.act(() => lab.cancel(this.undone));
    }
}

/** Which of `boxes` is meant by a pointer that was pressed in box `row` and has come to `point`: the one that it is
 *  on, or that lies in the direction in which it goes; null if none does. */
function aim(boxes, row, press, point) {
    const others = boxes.map((box, k) => ({box, k})).filter(({k}) => k !== row), moved = difference(point, press);
    const on = others.find(({box: {left, right, top, bottom}}) =>
        point[0] >= left && point[0] <= right && point[1] >= top && point[1] <= bottom);
    if (on) return on.k;
    const ahead = others.map(({box, k}) => {
        const way = difference(middle(box), press), far = Math.hypot(...way);
        const angle = Math.acos(clipped(dot(way, moved) / far / Math.hypot(...moved), -1, 1));
        return {k, angle, cost: angle + FAR_OFF * far / box.width};
    }).filter(({angle}) => angle < Math.PI / 4).sort((a, b) => a.cost - b.cost);
    return ahead[0]?.k ?? null;
}

const middle = ({left, right, top, bottom}) => [(left + right) / 2, (top + bottom) / 2];
const difference = (a, b) => [a[0] - b[0], a[1] - b[1]];
