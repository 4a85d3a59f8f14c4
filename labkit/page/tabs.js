// Tabs, of which one is open: by a click, or by arrow keys, Home and End. A panel that opens has an event `open`.

/** Tabs for `names`, [[name, text], ...], in `place`, together called `title`: {open, panels}, a function and the
 *  panels by name. */
export function makeTabs(place, title, names) {
    place.innerHTML = `<div class="lab-tabs" role="tablist" aria-label="${title}">${names.map(
        ([name, text]) => `<button type="button" role="tab" class="lab-tab" id="lab-tab-${name}"
            aria-controls="lab-panel-${name}">${text}</button>`).join('')}</div>
        ${names.map(([name]) => `<div role="tabpanel" class="lab-panel lab-panel-${name}" id="lab-panel-${name}"
            aria-labelledby="lab-tab-${name}"></div>`).join('')}`;
    const tabs = [...place.querySelectorAll('[role=tab]')], panels = [...place.querySelectorAll('[role=tabpanel]')];
    const open = k => tabs.forEach((tab, i) => {
        tab.setAttribute('aria-selected', String(i === k));
        tab.tabIndex = i === k ? 0 : -1;
        panels[i].hidden = i !== k;
        if (i === k) panels[i].dispatchEvent(new Event('open'));
    });
    tabs.forEach((tab, k) => {
        tab.addEventListener('click', () => open(k));
        tab.addEventListener('keydown', event => {
            const to = {ArrowLeft: k - 1, ArrowRight: k + 1, Home: 0, End: tabs.length - 1}[event.key];
            if (to === undefined) return;
            event.preventDefault();
            open((to + tabs.length) % tabs.length);
            tabs[(to + tabs.length) % tabs.length].focus();
        });
    });
    open(0);
    const at = names.map(([name]) => name);
    return {open: name => open(at.indexOf(name)), panels: Object.fromEntries(at.map((name, k) => [name, panels[k]]))};
}
