// Texts for screen readers. A slider of ipywidgets has a visible label that screen readers are not told of, its picture
// no text, a button that is pressed only a colour; and the buttons of all rows read alike.

const set = (element, name, text) => {
    if (element && element.getAttribute(name) !== text) {
        element.setAttribute(name, text);
    }
};

const label = () => document.querySelectorAll('.labkit-editor').forEach(editor => {
    editor.querySelectorAll('.widget-slider').forEach(slider => {
        const text = slider.querySelector('.widget-label').textContent || slider.title;
        set(slider.querySelector('.noUi-handle'), 'aria-label', text);
    });
    editor.querySelectorAll('.labkit-rows button').forEach(button => set(button, 'aria-label', button.title));
    editor.querySelectorAll('.widget-toggle-button, .widget-toggle-buttons button').forEach(button => {
        set(button, 'aria-pressed', String(button.classList.contains('mod-active')));
    });
    // In a row one control takes part in the order of tabs, its slider; keys do the rest: arrows, Backspace, Delete.
    editor.querySelectorAll('.labkit-row button, .labkit-row .widget-readout').forEach(
        part => set(part, 'tabindex', '-1'));
    editor.querySelectorAll('.labkit-kept img').forEach(picture => set(picture, 'alt', ''));
    const movie = editor.querySelector('img.labkit-movie');
    if (movie) set(movie, 'alt', editor.querySelector('.labkit-names')?.dataset.movie ?? '');
    set(editor.querySelector('.labkit-stage img'), 'alt', editor.querySelector('.labkit-names')?.dataset.alt ?? '');
});

let due = 0;  // the idle callback that is asked for, if any
const labelWhenIdle = () => {
    due ||= requestIdleCallback(() => {
        due = 0;
        label();
    }, {timeout: 500});
};

label();
if (!window.labkitLabels) {  // one observer serves all editors on the page
    new MutationObserver(labelWhenIdle).observe(
        document.body, {childList: true, subtree: true, attributes: true, attributeFilter: ['class']});
    window.labkitLabels = true;
}
