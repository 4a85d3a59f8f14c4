"use strict";
{
  // Where a figure would begin a new page, what is written after it comes first, as far as there is room: nothing is
  // told of pages here, so their ends are reckoned from heights. Figures keep their order, and stay in their chapter.
  const HEIGHT = (297 - 24) * 96 / 25.4, ROOM = 60, ROOM_OF_PART = 170;  // pixels: of a page, to fill with text, with a part
  const KINDS = "h1, h2, h3, h4, p, ul, ol, blockquote, .pair, figure, .scroll, .formula, pre, .answer";
  const narrow = [...document.querySelectorAll("main .narrow")];
  for (const figure of narrow) {  // two that follow one another share a line
    const next = narrow[narrow.indexOf(figure) + 1];
    const between = next && document.createRange();
    between?.setStartAfter(figure);
    between?.setEndBefore(next);
    if (!next || figure.closest(".pair") || [...between.cloneContents().querySelectorAll("p, h1, h2, h3, .scroll, figure")].length) continue;
    const pair = document.createElement("div");
    pair.className = "pair";
    figure.before(pair);
    pair.append(figure, next);
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
  let y = (tops[0] ?? 0) % HEIGHT;
  const place = block => {
    const whole = isFigure(block) ? block.height : is(block, "h1, h2, h3, h4") ? block.height + 50 : 0;
    if (whole && y + whole > HEIGHT) y = 0;
    y += block.size;
    while (y > HEIGHT) y -= HEIGHT - 8;
  };
  for (let k = 0; k < blocks.length; k++) {
    const figure = blocks[k], room = HEIGHT - y;
    let after = k + 1;  // what follows the figure, and others that stand right below it
    while (isFigure(blocks[after])) after++;
    const part = is(blocks[after], "h2, h3, h4") && isText(blocks[after + 1]);
    const wanted = part ? room > ROOM_OF_PART : isText(blocks[after]) && room > ROOM;
    if (isFigure(figure) && figure.height > room && wanted) {
      const before = blocks.splice(after, part ? 2 : 1);
      blocks.splice(k, 0, ...before);
      const moved = before.map(block => block.one);
      figure.one.before(...moved);
      before.forEach(place);
      k += before.length - 1;
    } else {
      place(figure);
    }
  }
}
