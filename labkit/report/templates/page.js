"use strict";
{
  // The section that is being read is marked in the contents beside the page.
  const at = link => {  // what a link leads to; of one that a reader has damaged, nothing
    try { return document.getElementById(decodeURIComponent(link.hash.slice(1))); } catch { return null; }
  };
  const links = [...document.querySelectorAll(".side a[href^='#']:not(.figure)")];
  const targets = links.map(at);
  let asked = false;
  const mark = () => {
    asked = false;
    let now = -1;
    targets.forEach((target, k) => { if (target?.getBoundingClientRect().top < innerHeight / 3) now = k; });
    links.forEach((link, k) => {
      if (k !== now) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "true");
        const side = link.closest(".side"), top = link.offsetTop;
        const hidden = top < side.scrollTop + 40 || top > side.scrollTop + side.clientHeight - 60;
        if (hidden) side.scrollTop = top - side.clientHeight / 2;
      }
    });
  };
  addEventListener("scroll", () => { if (!asked) { asked = true; requestAnimationFrame(mark); } }, {passive: true});
  mark();
  // What a link leads to is unfolded, and the folded contents close when they have led somewhere.
  const open = () => {
    const target = at(location);
    for (let fold = target?.closest("details:not([open])"); fold; fold = fold.parentElement.closest("details:not([open])")) {
      fold.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();
  document.querySelector(".folded")?.addEventListener("click", event => {
    if (event.target.closest("a")) event.currentTarget.open = false;
  });
  // The other language begins at the same place.
  document.querySelector(".switch a")?.addEventListener("click", event => { event.currentTarget.hash = location.hash; });
}
