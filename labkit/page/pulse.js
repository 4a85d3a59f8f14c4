// Whether the kernel answers, said within a second: it is busy, gone or was restarted, or the link is slow.

import {element} from './parts.js';
import {say} from './words.js';

const LATE = 700, SLOW = 250, TICK = 150; // milliseconds

/** A line below the status of `view`; `lost` is called once, when the kernel is no more. A function that ends it, where
 *  the lab stays in sight since its kernel has let go of it. */
export function startPulse(view, kernel, lost) {
    const line = element('p', {className: 'lab-pulse'});
    line.setAttribute('aria-live', 'polite');
    view.status.after(line);
    let stopped = false;
    const tell = (name, late = 0) => {
        const seconds = (late / 1000).toFixed(1);
        const text = name ? say(`kernel.${name}`, {seconds}) : '';
        if (line.textContent !== text) line.textContent = text;
        const over = ['gone', 'restarted'].includes(name);
        view.root.classList.toggle('lab-stopped', over);
        if (over && !stopped) lost();
        stopped = over;
    };
    const clock = setInterval(() => tell(...state(view.root, kernel)), TICK);
    return () => {
        clearInterval(clock);
        setTimeout(() => {
            if (view.root.isConnected) tell('restarted');
        });
    };
}

// The name of what is to be said of the kernel, if anything is, and of how many milliseconds.
function state(root, kernel) {
    const {since, usual} = kernel.owes, notebook = root.closest('.jp-NotebookPanel') ?? document;
    const status = notebook.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status; // JupyterLab's own
    if (['dead', 'terminating', 'unknown'].includes(status)) return ['gone', 0];
    if (kernel.cut || ['restarting', 'autorestarting'].includes(status)) return ['restarted', 0];
    if (since > LATE) return [status === 'busy' ? 'busy' : 'waiting', since];
    return usual > SLOW ? ['slow', usual] : ['', 0];
}
