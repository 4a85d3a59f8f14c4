// A canvas to draw on, with pencil and eraser, by pointer or by keyboard.

import {capture} from './parts.js';
import {GREY, PIXELS, SIDE, paint} from './pictures.js';
import {clipped} from './vectors.js';

const KEYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

/** A canvas of 28 x 28 pixels to draw on. `pixels` are grey levels, 0 to 255; `changed` is called after every
 *  stroke. */
export class Drawing {
    constructor(canvas, changed) {
        Object.assign(this, {canvas, changed, pixels: new Float32Array(PIXELS), ink: true, size: 3, cursor: [14, 14]});
        Object.assign(canvas, {width: SIDE, height: SIDE});
        canvas.addEventListener('pointerdown', event => this.press(event));
        canvas.addEventListener('pointermove', event => this.pull(event));
        for (const kind of ['pointerup', 'pointercancel'])
            canvas.addEventListener(kind, () => { this.last = null; });
        canvas.addEventListener('keydown', event => this.key(event));
        canvas.addEventListener('focus', () => {
            if (canvas.matches(':focus-visible')) this.point(this.cursor);
        });
        canvas.addEventListener('blur', () => this.point(null));
        this.show();
    }

    /** Whether there is nothing on it. */
    get blank() {
        return this.pixels.every(x => x < 16);
    }

    /** The drawing as the networks take pictures, 784 numbers in [-1, 1]. */
    get image() {
        return this.pixels.map(x => x / GREY - 1);
    }

    set(pixels) {
        this.pixels = Float32Array.from(pixels);
        this.show();
        this.changed();
    }

    press(event) {
        if (event.button) return;
        capture(this.canvas, event);
        this.point(null);
        this.last = this.where(event);
        this.stroke(this.last, this.last);
    }

    pull(event) {
        if (!this.last) return;
        for (const one of event.getCoalescedEvents?.().concat(event) || [event]) {
            const next = this.where(one);
            this.stroke(this.last, next);
            this.last = next;
        }
    }

    where(event) {
        const box = this.canvas.getBoundingClientRect();
        return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
    }

    key(event) {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const step = KEYS[event.key], [x, y] = this.cursor;
        if (!step && event.key !== ' ') return;
        event.preventDefault();
        const next = step ? [x + step[0], y + step[1]].map(p => clipped(p, 0, SIDE - 1)) : [x, y];
        if (event.key === ' ' || event.shiftKey) this.stroke([x + 0.5, y + 0.5], [next[0] + 0.5, next[1] + 0.5]);
        this.point(next);
    }

    /** Show the cursor of the keyboard at `cursor`, or none. */
    point(cursor) {
        if (cursor) this.cursor = cursor;
        this.pointing = cursor;
        this.show();
    }

    /** Draw, or rub out, a line from `a` to `b`, soft at its border. */
    stroke([ax, ay], [bx, by]) {
        const radius = this.size / 2, long = (bx - ax) ** 2 + (by - ay) ** 2;
        this.pixels = this.pixels.map((old, k) => {
            const x = k % SIDE + 0.5 - ax, y = Math.floor(k / SIDE) + 0.5 - ay; // from `a` to the middle of the pixel
            const t = long ? clipped((x * (bx - ax) + y * (by - ay)) / long, 0, 1) : 0;
            const cover = clipped(radius + 0.5 - Math.hypot(x - t * (bx - ax), y - t * (by - ay)), 0, 1);
            return this.ink ? Math.max(old, 225 * cover) : Math.min(old, 255 * (1 - cover));
        });
        this.show();
        this.changed();
    }

    show() {
        const context = this.canvas.getContext('2d');
        paint(this.canvas, this.pixels);
        if (this.pointing) {
            context.fillStyle = this.ink ? '#56b4e9' : '#e69f00';
            context.fillRect(...this.pointing, 1, 1);
        }
    }
}
