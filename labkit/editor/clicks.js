// What a mouse and a keyboard can do beside the widgets' own: a click on a garment chooses it, one on a small picture
// opens it; a double click gives a slider its base value back; steps of the keys. Keys and shortcuts as in the page.
(() => {
    if (window.labkitClicks) return; // one listener serves all editors on the page
    window.labkitClicks = true;
    const GARMENTS = 8, STEP = 0.1, FINE = 0.01, COARSE = 1;
    const within = (event, selector) => event.target.closest?.(`.labkit-editor ${selector}`);
    const press = button => button?.click();

    document.addEventListener('click', event => {
        const picture = within(event, '.labkit-kept img'), stage = within(event, '.labkit-stage img');
        if (picture) press(picture.closest('.labkit-kept').querySelector('button'));
        if (stage) {
            const box = stage.getBoundingClientRect();
            const column = Math.floor((event.clientX - box.left) / box.width * GARMENTS);
            const targets = stage.closest('.labkit-editor').querySelectorAll('.labkit-target button');
            const chosen = targets[column + 1]?.classList.contains('mod-active');
            press(targets[chosen ? 0 : column + 1]);
        }
        if (within(event, '.labkit-copy')) copySoon(event.target.closest('.labkit-editor'));
    });

    // The numbers come from the kernel a moment after the click; then they are put on the clipboard, and selected.
    const copySoon = (editor, tries = 20) => {
        const numbers = editor.querySelector('.labkit-numbers textarea');
        if (!numbers.value && tries) return setTimeout(() => copySoon(editor, tries - 1), 50);
        numbers.focus();
        numbers.select();
        navigator.clipboard?.writeText(numbers.value).catch(() => {}); // what is selected can be copied by hand
    };

    document.addEventListener('dblclick', event => {
        if (within(event, '.noUi-target')) press(event.target.closest('.labkit-row')?.querySelector('.labkit-again'));
    });

    document.addEventListener('keydown', event => {
        const handle = within(event, '.labkit-row .noUi-handle');
        if (!handle || event.ctrlKey || event.metaKey || event.altKey) return;
        const row = handle.closest('.labkit-row'), fine = event.shiftKey ? FINE : STEP;
        const step = {ArrowLeft: -fine, ArrowDown: -fine, ArrowRight: fine, ArrowUp: fine, PageUp: COARSE,
            PageDown: -COARSE}[event.key];
        if (step) move(row, handle, step);
        else if (event.key === 'Backspace') press(row.querySelector('.labkit-again'));
        else if (event.key === 'Delete') press(row.querySelector('.labkit-away'));
        else return;
        event.preventDefault();
        event.stopImmediatePropagation();
    }, true);

    // A slider goes where the number beside it is typed to: ipywidgets reads it at an Enter, by its old code.
    const move = (row, handle, step) => {
        const readout = row.querySelector('.widget-readout');
        const [now, low, high] = ['valuetext', 'valuemin', 'valuemax'].map(
            name => Number(handle.getAttribute(`aria-${name}`)));
        const next = Math.min(high, Math.max(low, Math.round((now + step) * 100) / 100));
        readout.textContent = next.toFixed(2);
        const enter = new Event('keydown', {bubbles: true, cancelable: true});
        Object.defineProperty(enter, 'keyCode', {value: 13});
        readout.dispatchEvent(enter);
    };
})();
