// Whether the kernel answers, said within a second: it is busy, gone or was restarted, or the link is slow.
//
// Whatever a reader does to a control is answered by a new beat, a count under the garments. One that is late is told.
(() => {
    if (window.labkitPulse) return; // one clock serves all editors on the page
    window.labkitPulse = true;
    const LATE = 700, SLOW = 250, TICK = 150, GESTURE = 300, MEMORY = 5; // milliseconds; answers that are remembered
    const states = new WeakMap(); // of each editor: {beat, asked, delays}
    let gesture = 0; // when somebody last moved a mouse that is held, or pressed a key
    let held = false;

    const stateOf = editor => {
        if (!states.has(editor)) states.set(editor, {beat: beatOf(editor), asked: 0, delays: []});
        return states.get(editor);
    };
    const beatOf = editor => editor.querySelector('.labkit-measures [data-beat]')?.dataset.beat;
    const ask = editor => { stateOf(editor).asked ||= performance.now(); };
    const editorOf = event => event.target.closest?.('.labkit-editor');

    const ON = {capture: true, passive: true};
    document.addEventListener('pointerdown', event => { held = Boolean(editorOf(event)); gesture = event.timeStamp; }, ON);
    document.addEventListener('pointerup', () => { held = false; }, ON);
    document.addEventListener('pointermove', event => { if (held) gesture = event.timeStamp; }, ON);
    document.addEventListener('keydown', event => { if (editorOf(event)) gesture = event.timeStamp; }, ON);
    document.addEventListener('click', event => {
        const button = event.target.closest?.('.labkit-editor button');
        const chosen = button?.closest('.widget-toggle-buttons') && button.classList.contains('mod-active');
        if (button && !chosen && !button.classList.contains('widget-upload')) ask(editorOf(event));
    }, ON);
    document.addEventListener('change', event => {
        if (editorOf(event) && event.target.matches('select, input:not([type=file])')) ask(editorOf(event));
    }, ON);

    // Sliders say nothing when they are moved, but their text for screen readers changes.
    new MutationObserver(changes => {
        if (performance.now() - gesture > GESTURE) return;
        for (const {target} of changes) {
            const editor = target.closest('.labkit-editor');
            if (editor) ask(editor);
        }
    }).observe(document.body, {subtree: true, attributes: true, attributeFilter: ['aria-valuetext']});

    // A beat that changes is an answer.
    new MutationObserver(() => document.querySelectorAll('.labkit-editor').forEach(editor => {
        const state = stateOf(editor), beat = beatOf(editor);
        if (beat === undefined || beat === state.beat) return;
        if (state.asked) state.delays = [...state.delays, performance.now() - state.asked].slice(-MEMORY);
        Object.assign(state, {beat, asked: 0});
        tell(editor);
    })).observe(document.body, {subtree: true, childList: true});

    const wordsOf = editor => {
        const {asked, delays} = stateOf(editor), of = editor.closest('.jp-NotebookPanel, .jp-Notebook') ?? document;
        const kernel = of.querySelector('.jp-Notebook-ExecutionIndicator, [data-status]')?.dataset.status;
        if (editor.querySelector('.jupyter-widgets-disconnected')) return ['restarted'];
        if (['dead', 'terminating', 'unknown'].includes(kernel)) return ['gone'];
        if (['restarting', 'autorestarting'].includes(kernel)) return ['restarted'];
        const waited = asked ? performance.now() - asked : 0;
        if (waited > LATE) return [kernel === 'busy' ? 'busy' : 'waiting', waited];
        const middle = [...delays].sort((a, b) => a - b)[Math.floor(delays.length / 2)] ?? 0;
        return middle > SLOW ? ['slow', middle] : [];
    };
    const tell = editor => {
        const place = editor.querySelector('.labkit-pulse'), [name, late = 0] = wordsOf(editor);
        if (!place) return;
        const seconds = (late / 1000).toFixed(1);
        const text = name ? place.dataset[name].replace('{seconds}', seconds) : '';
        if (place.textContent !== text) place.textContent = text;
        editor.classList.toggle('labkit-stopped', ['gone', 'restarted'].includes(name));
    };
    setInterval(() => document.querySelectorAll('.labkit-editor').forEach(tell), TICK);
})();
