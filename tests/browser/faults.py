"""What is wrong with a page as a reader sees it, found by measuring boxes: JavaScript that gives a list of sentences."""

from __future__ import annotations

FAULTS = """(() => {
  const faults = [], page = document.documentElement;
  // Not innerWidth: a phone shows a page that is too wide whole, in a window that grows with it.
  if (page.scrollWidth > page.clientWidth) faults.push(`the page is ${page.scrollWidth} px wide in ${page.clientWidth}`);
  for (const chart of document.querySelectorAll('svg')) {
    const frame = chart.getBoundingClientRect();
    const texts = [...chart.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([text, a], index) => {
      if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 3 || a.bottom > frame.bottom + 3)
        faults.push(`${text} leaves its chart`);
      for (const [other, b] of texts.slice(0, index))
        // The box of a line of text is higher than its letters.
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
          faults.push(`${text} covers ${other}`);
    });
  }
  // Two texts that stand on each other, wherever they are: the boxes of lines, not of the blocks around them.
  const lines = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.textContent.trim() || parent.closest('svg, [hidden], script, style, noscript, [data-may-overlap]')) continue;
    if (!parent.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects())
      if (box.width > 2 && box.height > 2) lines.push([node.textContent.trim().slice(0, 30), box, parent]);
  }
  lines.sort((one, two) => one[1].top - two[1].top);
  lines.forEach(([text, a, parent], index) => {
    for (let next = index + 1; next < lines.length && lines[next][1].top < a.bottom - 4; next++) {
      const [other, b, owner] = lines[next];
      if (parent === owner || parent.contains(owner) || owner.contains(parent)) continue;
      if (a.left < b.right - 2 && b.left < a.right - 2 && b.top < a.bottom - 0.35 * Math.min(a.height, b.height))
        faults.push(`${text} stands on ${other}`);
    }
  });
  for (const sentence of document.querySelectorAll('td.words, p, h1, h2, .card b, .card span')) {
    const box = sentence.getBoundingClientRect();
    if (box.right > page.clientWidth) faults.push(`cut off: ${sentence.textContent.slice(0, 40)}`);
  }
  const names = [...document.querySelectorAll('[id]')].map(element => element.id);
  if (new Set(names).size < names.length) faults.push('a name is given twice');
  return faults;
})()"""
