// A rectangle dragged over the frame becomes the flag that limits a run to it. The page itself changes nothing.
const SMALLEST_PX = 8;
const $ = (id) => document.getElementById(id);
const clamp = (value) => Math.min(1, Math.max(0, value));

export function regionFlag([left, top, width, height]) {
  const round = (value) => Number(value.toFixed(3));
  const x = round(left), y = round(top);
  return `--region ${x},${y},${round(Math.min(width, 1 - x))},${round(Math.min(height, 1 - y))}`;
}

export function letRegionBeDragged(canvas, mark) {
  let start = null, shown = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)];
  };
  const rectangle = ([x, y]) => [Math.min(x, start[0]), Math.min(y, start[1]), Math.abs(x - start[0]), Math.abs(y - start[1])];
  const draw = (found) => {
    const [left, top, width, height] = shown = found;
    Object.assign(mark.style, {
      left: `${canvas.offsetLeft + left * canvas.offsetWidth}px`, top: `${canvas.offsetTop + top * canvas.offsetHeight}px`,
      width: `${width * canvas.offsetWidth}px`, height: `${height * canvas.offsetHeight}px`,
    });
    mark.hidden = false;
  };
  const isLarge = ([, , width, height]) => width * canvas.offsetWidth >= SMALLEST_PX && height * canvas.offsetHeight >= SMALLEST_PX;
  const end = () => { start = shown = null; mark.hidden = true; };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = place(event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => { if (start) draw(rectangle(place(event))); });
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerup", (event) => {
    if (!start) return;
    const found = rectangle(place(event));
    end();
    if (!isLarge(found)) { $("region").hidden = true; return; }  // just a click
    $("region-flag").textContent = regionFlag(found);
    $("region").hidden = false;
    draw(found);
  });
  // The frame moves when its size or the lines around it change.
  const follow = new ResizeObserver(() => { if (shown) draw(shown); });
  for (const element of [canvas, canvas.parentElement, document.body]) follow.observe(element);
}

// Browsers allow the clipboard only with https or on this machine; elsewhere the flag is selected, ready for Ctrl-C.
export async function copyFlag(button) {
  const flag = $("region-flag");
  getSelection().selectAllChildren(flag);
  try {
    await navigator.clipboard.writeText(flag.textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}
