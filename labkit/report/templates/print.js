"use strict";
addEventListener("load", () => {  // when pictures have their sizes
  // Where a figure would begin a new page, what is written after it comes first, as far as there is room: nothing is
  // told of pages here, so their ends are reckoned from heights. Figures keep their order, and stay in their chapter.
  const HEIGHT = (297 - 22) * 96 / 25.4, ROOM = 45, ROOM_OF_PART = 130, SLACK = 20;  // pixels: of a page, to fill
  // with text, with a part; what the reckoning may be off
  const KINDS = "h1, h2, h3, h4, p, ul, ol, blockquote, .pair, figure, .scroll, .formula, pre, .answer";
  const narrow = [...document.querySelectorAll("main .narrow")];
  for (const figure of narrow) {  // two that follow one another share a line
    const next = narrow[narrow.indexOf(figure) + 1];
    const between = next && document.createRange();
    between?.setStartAfter(figure);
    between?.setEndBefore(next);
    const parted = between?.cloneContents().querySelector("p, h1, h2, h3, .scroll, figure");
    if (!next || parted || figure.closest(".pair")) continue;
    const pair = document.createElement("div");
    pair.className = "pair";
    figure.before(pair);
    pair.append(figure, next);
  }
  for (const trial of document.querySelectorAll("main .trial")) {  // what is to be tried, is tried at the machine
    const follows = one => trial.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING;
    const rest = [...trial.closest("section").querySelectorAll(KINDS)].filter(follows);
    const end = rest.findIndex(one => one.matches("h1, h2, h3, h4, figure, .answer"));
    rest.slice(0, end < 0 ? rest.length : end).forEach(one => one.classList.add("bare"));
  }
  const found = [...document.querySelectorAll("main section")].flatMap(section => [...section.querySelectorAll(KINDS)])
    .filter(one => one.offsetHeight && !one.parentElement.closest(KINDS));
  const tops = found.map(one => one.getBoundingClientRect().top + scrollY);
  const blocks = found.map((one, k) => {
    const height = one.getBoundingClientRect().height;
    return {one, height, size: k + 1 < found.length ? Math.max(tops[k + 1] - tops[k], height) : height};
  });
  const is = (block, kinds) => block?.one.matches(kinds);
  const isFigure = block => is(block, ".pair, figure");
  const isText = block => is(block, "p, ul, ol, blockquote, .scroll, .formula, .answer");
  let y = (tops[0] ?? 0) % HEIGHT, page = 1;
  const place = block => {
    const whole = isFigure(block) ? block.height : is(block, "h1, h2, h3, h4") ? block.height + 50 : 0;
    if (whole && y + whole > HEIGHT) [y, page] = [0, page + 1];
    [block.y, block.page] = [y, page];
    y += block.size;
    while (y > HEIGHT) [y, page] = [y - HEIGHT + 8, page + 1];
  };
  for (let k = 0; k < blocks.length; k++) {
    const figure = blocks[k], room = HEIGHT - y;
    let after = k + 1;  // what follows the figure, and others that stand right below it
    while (isFigure(blocks[after])) after++;
    const part = is(blocks[after], "h2, h3, h4") && isText(blocks[after + 1]);
    const wanted = part ? room > ROOM_OF_PART : isText(blocks[after]) && room > ROOM;
    if (isFigure(figure) && figure.height + SLACK > room && wanted) {
      const before = blocks.splice(after, part ? 2 : 1);
      blocks.splice(k, 0, ...before);
      figure.one.before(...before.map(block => block.one));
      before.forEach(place);
      k += before.length - 1;
      continue;
    }
    let first = k;  // with nothing to come first, the figure stands before what is written just above it
    if (isFigure(figure) && figure.height > room && room > 2 * ROOM) {
      const fits = k => HEIGHT - blocks[k].y >= figure.height + SLACK;
      const mayPass = block => isText(block) && block.page === page;
      while (mayPass(blocks[first - 1]) && (first === k || !fits(first))) first--;
      if (first < k && !fits(first)) first = k;
    }
    if (first < k) {
      blocks.splice(first, 0, ...blocks.splice(k, 1));
      blocks[first + 1].one.before(figure.one);
      y = blocks[first + 1].y;
      blocks.slice(first, k + 1).forEach(place);
    } else {
      place(figure);
    }
  }
});
