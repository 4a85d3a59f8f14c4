// A garment of the reader's own: drawn with pencil and eraser, or read from a picture file, which never leaves the
// page.

const SIDE = 28,
    LARGEST_FILE = 30e6,
    LARGEST_SIDE = 560;
const KEYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

/** A canvas of 28 x 28 pixels to draw on. `pixels` are grey levels, 0 to 255; `changed` is called after every
 *  stroke. */
export class Drawing {
    constructor(canvas, changed) {
        Object.assign(this, {
            canvas,
            changed,
            pixels: new Float32Array(SIDE * SIDE),
            tool: 'pencil',
            size: 3,
            cursor: null,
        });
        [canvas.width, canvas.height] = [SIDE, SIDE];
        canvas.addEventListener('pointerdown', event => this.press(event));
        canvas.addEventListener('pointermove', event => this.pull(event));
        for (const kind of ['pointerup', 'pointercancel'])
            canvas.addEventListener(kind, () => {
                this.last = null;
            });
        canvas.addEventListener('keydown', event => this.key(event));
        canvas.addEventListener('focus', () => {
            if (canvas.matches(':focus-visible')) this.point(this.cursor || [14, 14]);
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
        return this.pixels.map(x => x / 127.5 - 1);
    }

    set(pixels) {
        this.pixels = Float32Array.from(pixels);
        this.show();
        this.changed();
    }

    clear() {
        this.set(new Float32Array(SIDE * SIDE));
    }

    press(event) {
        if (event.button) return;
        try {
            this.canvas.setPointerCapture(event.pointerId);
        } catch {
            /* the pointer is gone already */
        }
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
        const step = KEYS[event.key],
            [x, y] = this.cursor || [14, 14];
        if (!step && event.key !== ' ') return;
        event.preventDefault();
        const next = step ? [x + step[0], y + step[1]].map(p => Math.min(SIDE - 1, Math.max(0, p))) : [x, y];
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
        const radius = this.size / 2,
            long = (bx - ax) ** 2 + (by - ay) ** 2,
            ink = this.tool === 'pencil' ? 225 : 0;
        this.pixels = this.pixels.map((old, k) => {
            const x = (k % SIDE) + 0.5,
                y = ((k / SIDE) | 0) + 0.5;
            const t = long ? Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / long)) : 0;
            const cover = Math.min(
                1,
                Math.max(0, radius + 0.5 - Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay))),
            );
            return ink ? Math.max(old, ink * cover) : Math.min(old, 255 * (1 - cover));
        });
        this.show();
        this.changed();
    }

    show() {
        const context = this.canvas.getContext('2d');
        paint(this.canvas, this.pixels);
        if (this.pointing) {
            context.fillStyle = this.tool === 'pencil' ? '#56b4e9' : '#e69f00';
            context.fillRect(...this.pointing, 1, 1);
        }
    }
}

/** Show 784 grey levels, 0 to 255, on a canvas of 28 x 28. */
export function paint(canvas, levels) {
    const context = canvas.getContext('2d'),
        picture = context.createImageData(SIDE, SIDE);
    levels.forEach((level, k) => picture.data.set([level, level, level, 255], 4 * k));
    context.putImageData(picture, 0, 0);
}

/** The picture in `file` as 784 grey levels. Throws a line that can be shown. */
export async function fromFile(file) {
    if (file.size > LARGEST_FILE) throw Error('That file is larger than 30 MB.');
    let picture;
    try {
        picture = await createImageBitmap(file);
    } catch {
        throw Error('That file is no picture that this browser can read.');
    }
    const scale = Math.min(1, LARGEST_SIDE / Math.max(picture.width, picture.height));
    const [width, height] = [picture.width, picture.height].map(side => Math.max(1, Math.round(side * scale)));
    const canvas = document.createElement('canvas');
    Object.assign(canvas, {width, height});
    const context = canvas.getContext('2d', {willReadFrequently: true});
    context.fillStyle = '#fff'; // what is transparent is paper
    context.fillRect(0, 0, width, height);
    context.drawImage(picture, 0, 0, width, height);
    picture.close();
    const {data} = context.getImageData(0, 0, width, height);
    const grey = Float32Array.from(
        {length: width * height},
        (_, k) => 0.299 * data[4 * k] + 0.587 * data[4 * k + 1] + 0.114 * data[4 * k + 2],
    );
    return fitted(grey, width, height);
}

/** `grey`, width x height, as the data set has its garments: bright on black, as large as fits into 28 x 28,
 *  centred. */
export function fitted(grey, width, height) {
    const border = [...grey.keys()].filter(
        k => k < width || k >= width * (height - 1) || k % width === 0 || k % width === width - 1,
    );
    const level = border.map(k => grey[k]).sort((a, b) => a - b)[border.length >> 1];
    const light = level > 127 ? grey.map(x => 255 - x) : grey,
        dark = level > 127 ? 255 - level : level;
    const clean = light.map(x => Math.max(0, x - dark - 8));
    const brightest = clean.reduce((a, b) => Math.max(a, b), 0),
        seen = [...clean.keys()].filter(k => clean[k] > brightest / 10);
    if (!(brightest > 8)) throw Error('There is nothing to see in that picture.');
    const span = (values, size) => [
        values.reduce((a, b) => Math.min(a, b), size),
        values.reduce((a, b) => Math.max(a, b), 0) + 1,
    ];
    const [left, right] = span(
            seen.map(k => k % width),
            width,
        ),
        [top, bottom] = span(
            seen.map(k => (k / width) | 0),
            height,
        );
    const scale = SIDE / Math.max(right - left, bottom - top),
        gain = brightest < 200 ? 225 / brightest : 1;
    const [x0, y0] = [(left + right) / 2 - SIDE / scale / 2, (top + bottom) / 2 - SIDE / scale / 2];
    return Float32Array.from(
        {length: SIDE * SIDE},
        (_, k) => gain * area(clean, width, height, x0 + (k % SIDE) / scale, y0 + ((k / SIDE) | 0) / scale, 1 / scale),
    );
}

/** Mean of `grey` over a square of `side` at (x, y); 0 outside. */
function area(grey, width, height, x, y, side) {
    let sum = 0;
    for (let j = Math.max(0, Math.floor(y)); j < Math.min(height, y + side); j++) {
        const tall = Math.min(j + 1, y + side) - Math.max(j, y);
        for (let i = Math.max(0, Math.floor(x)); i < Math.min(width, x + side); i++) {
            sum += grey[j * width + i] * tall * (Math.min(i + 1, x + side) - Math.max(i, x));
        }
    }
    return sum / side / side;
}
