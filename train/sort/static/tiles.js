// Draws one page of tiles. A page holds what fits on the screen, at most one tile per letter, so fifty thousand frames
// cost no more than fifty.
export const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const SMALLEST = 150, SMALLEST_ON_PHONE = 112, GAP = 8, CAPTION = 33;

const percent = (value) => `${Math.round(100 * value)} %`;
const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });

// How many tiles fit into the list, and in how many columns.
export function room(list) {
  const width = list.clientWidth - 6, height = list.clientHeight - 6;
  const smallest = width < 600 ? SMALLEST_ON_PHONE : SMALLEST;
  let columns = Math.max(2, Math.floor((width + GAP) / (smallest + GAP)));
  const rowsFor = (num) => Math.max(1, Math.floor((height + GAP) / (((width - GAP * (num - 1)) / num) * 0.75 + CAPTION + GAP)));
  while (columns > 2 && (columns - 1) * rowsFor(columns - 1) >= LETTERS.length) columns -= 1;
  return { columns, num: Math.min(LETTERS.length, columns * rowsFor(columns)) };
}

const CHOICE = [["role", "listbox"], ["aria-multiselectable", "true"]];

export function draw(list, page, state, columns) {
  list.style.setProperty("--columns", columns);
  list.replaceChildren(...page.map((tile, index) => element(tile, index, state)));
  // Options need a list box around them, a sentence in its place does not.
  if (page.length) for (const [name, value] of CHOICE) list.setAttribute(name, value);
  else for (const [name] of CHOICE) list.removeAttribute(name);
  if (!page.length) list.append(make("li", "none", state.empty));
}

function element(tile, index, { here, chosen }) {
  const item = make("li", "");
  item.dataset.index = index;
  item.setAttribute("aria-selected", chosen.has(tile));
  item.setAttribute("role", "option");
  const image = make("img", "");
  image.src = `thumb/${tile.frames[0][0]}.jpg`;
  image.alt = words(tile);
  image.draggable = false;
  item.append(image, make("kbd", "key", LETTERS[index]));
  if (tile.frames.length > 1) item.append(make("span", "many", `× ${tile.frames.length}`));
  item.append(caption(tile));
  item.classList.toggle("here", index === here);
  item.classList.toggle("chosen", chosen.has(tile));
  item.classList.toggle("done", tile.done !== null);
  return item;
}

function caption(tile) {
  const line = make("p", "", "");
  if (tile.done !== null) line.textContent = `✓ ${tile.done}`;
  else if (tile.label) line.append(`${tile.label} `, make("span", "soft", percent(tile.score)));
  else line.append(make("span", "soft", "no suggestion"));
  return line;
}

export function words(tile) {
  const [, day, camera] = tile.frames[0];
  const looks = tile.label ? `looks like ${tile.label}, ${percent(tile.score)}` : "no suggestion";
  return [tile.done === null ? looks : `sorted as ${tile.done}`, camera, day, tile.frames.length > 1 ? `${tile.frames.length} frames` : ""].filter(Boolean).join(", ");
}

// Loads the thumbnails of the next page before they are needed.
export function fetchAhead(tiles) {
  for (const tile of tiles) new Image().src = `thumb/${tile.frames[0][0]}.jpg`;
}
