// The garments as one picture, to be saved.

import {element} from './parts.js';
import {SIDE, levels, paint} from './pictures.js';

const SCALE = 6, STEP = SIDE * SCALE + 4; // pixels of one, and from garment to garment

/** The chosen garments as a picture: as they were drawn, if edits changed any, and below as they are now. */
export function sheet({lab, drawn}) {
    const {chosen} = lab, rows = lab.edited().length ? [drawn.base, drawn.z] : [drawn.z];
    const whole = element('canvas', {width: chosen.length * STEP - 4, height: rows.length * STEP - 4});
    const context = whole.getContext('2d'), small = element('canvas', {width: SIDE, height: SIDE});
    context.imageSmoothingEnabled = false;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, whole.width, whole.height);
    rows.forEach((shown, y) => chosen.forEach((row, x) => {
        paint(small, levels(shown[row].image));
        context.drawImage(small, x * STEP, y * STEP, SIDE * SCALE, SIDE * SCALE);
    }));
    return whole;
}
