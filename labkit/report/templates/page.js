"use strict";
{
  // The section that is being read is marked in the contents beside the page.
  const links = [...document.querySelectorAll(".side a[href^='#']:not(.figure)")];
  const targets = links.map(link => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  let asked = false;
  const mark = () => {
    asked = false;
    let now = -1;
    targets.forEach((target, k) => { if (target?.getBoundingClientRect().top < innerHeight / 3) now = k; });
    links.forEach((link, k) => {
      if (k !== now) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "true");
        const side = link.closest(".side"), at = link.offsetTop;
        const hidden = at < side.scrollTop + 40 || at > side.scrollTop + side.clientHeight - 60;
        if (hidden) side.scrollTop = at - side.clientHeight / 2;
      }
    });
  };
  addEventListener("scroll", () => { if (!asked) { asked = true; requestAnimationFrame(mark); } }, {passive: true});
  mark();
  // What a link leads to is unfolded, and the folded contents close when they have led somewhere.
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let at = target?.closest("details:not([open])"); at; at = at.parentElement.closest("details:not([open])")) {
      at.open = true;
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
