// Where the page begins: what it holds is made live, each part when the reader comes near it.

import {showGrowth} from './growth.js';
import {classifierOf, generatorOf} from './networks.js';
import {element} from './parts.js';
import {address, sharePanel} from './share.js';
import {View} from './view.js';
import {Damaged, supported} from './weights.js';
import {say, speak} from './words.js';

const AHEAD = '900px 0px'; // how far below the screen the lab is made ready
const PAGE = {generatorOf, classifierOf, panels: [['share', sharePanel]], rested: address,
    why: fault => fault instanceof Damaged ? say('start.damaged') : fault?.message ?? fault};

const linked = () => location.hash.startsWith('#lab=');

function start() {
    let data;
    try {
        data = JSON.parse(document.getElementById('lab-data').textContent);
    } catch {
        return; // the page is cut off
    }
    speak(data.words);
    const [lab, growth] = ['.lab-here', '.growth-here'].map(name => document.querySelector(name));
    if (lab) {
        let opening;
        const open = () => opening ??= openLab(lab, data);
        if (linked()) loaded().then(open).then(view => view?.root.scrollIntoView());
        else near(lab, open);
        window.addEventListener('hashchange', async () => {
            if (linked()) (await open())?.openLink(location.hash);
        });
    }
    if (growth && data.training && !supported())
        near(growth, () => showGrowth(growth, data.training).catch(() => growth.replaceChildren()));
}

const loaded = () => new Promise(done =>
    document.readyState === 'complete' ? done() : window.addEventListener('load', done, {once: true}));

function near(place, act) {
    const observer = new IntersectionObserver(entries => {
        if (!entries.some(entry => entry.isIntersecting)) return;
        observer.disconnect();
        act();
    }, {rootMargin: AHEAD});
    observer.observe(place);
}

/** The lab in `place`, whose figure it takes the place of; or, where that fails, one sentence below the figure. */
async function openLab(place, data) {
    let why = supported();
    if (!why) try {
        const view = new View(data, PAGE);
        await view.start(linked() ? location.hash : '');
        place.prepend(view.root);
        place.classList.add('live');
        return view;
    } catch (fault) {
        why = fault instanceof Damaged ? PAGE.why(fault) : say('start.failed', {fault: PAGE.why(fault)});
    }
    place.append(element('p', {className: 'lab-note', textContent: say('start.figure', {why})}));
    return null;
}

start();
