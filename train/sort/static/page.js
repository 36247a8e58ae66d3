// The sorting page: tiles, keys and undo. Everything from the server is shown as text only.
import { startCapture } from "./capture.js";
import * as server from "./server.js";
import { LETTERS, draw, fetchAhead, room, words } from "./tiles.js";

const BACKGROUND = "background", DISCARD = "discard";
const $ = (id) => document.getElementById(id);
const make = (tag, className, text) => Object.assign(document.createElement(tag), { className, textContent: text });
const plural = (num, word) => `${num.toLocaleString("en")} ${word}${num === 1 ? "" : "s"}`;

let tiles = [], labels = [], counts = {}, numFrames = 0, camera = null;
let page = [], skipped = 0, here = 0, chosen = new Set(), history = [];

// --- what is to be shown -----------------------------------------------------------------------------------------

const isLeft = (tile) => tile.done === null;
const ORDERS = {
  unsure: (a, b) => a.score - b.score || b.strangeness - a.strangeness,
  strange: (a, b) => b.strangeness - a.strangeness || a.score - b.score,
  time: (a, b) => a.frames[0][3] - b.frames[0][3],
};

// What is left and passes the filters, grouped by suggestion, the one with the most tiles first.
function queue() {
  const day = $("day").value, from = $("camera").value, looks = $("looks").value;
  const fits = (tile) => isLeft(tile) && (!looks || tile.label === looks.slice(1)) &&
    tile.frames.some((frame) => (!day || frame[1] === day) && (!from || frame[2] === from.slice(1)));
  const found = tiles.filter(fits), sizes = new Map();
  for (const tile of found) sizes.set(tile.label, (sizes.get(tile.label) ?? 0) + 1);
  const rank = [...sizes.keys()].sort((a, b) => !a - !b || sizes.get(b) - sizes.get(a) || (a < b ? -1 : 1));
  const place = new Map(rank.map((label, index) => [label, index]));
  return found.sort((a, b) => place.get(a.label) - place.get(b.label) || ORDERS[$("order").value](a, b));
}

function turn(by = 0) {
  const waiting = queue(), { num } = room($("tiles"));
  skipped = Math.max(0, skipped + by);
  if (skipped >= waiting.length) skipped = 0;
  const first = waiting[skipped];
  page = waiting.slice(skipped, skipped + num).filter((tile) => tile.label === first.label);
  here = 0;
  chosen.clear();
  render();
  fetchAhead(waiting.slice(skipped + page.length, skipped + page.length + num));
}

function render() {
  const { columns } = room($("tiles"));
  const left = tiles.reduce((sum, tile) => sum + (isLeft(tile) ? tile.frames.length : 0), 0);
  const empty = left ? "Nothing here fits the filters." : numFrames ? "Everything is sorted. Train with: make convert DATA=(this folder)" : "No frames to sort.";
  draw($("tiles"), page, { here, chosen, empty }, columns);
  $("left").textContent = `${plural(left, "frame")} left of ${numFrames.toLocaleString("en")}`;
  $("progress").value = numFrames ? 1 - left / numFrames : 1;
  const label = page[0]?.label;
  $("question").textContent = page.length ? (label ? `All ${label}?` : "What is this?") : "";
  $("accept-words").textContent = chosen.size ? `Accept ${chosen.size}` : page.some((tile) => isLeft(tile) && tile.label) ? "Accept the rest" : "Next";
  $("undo").disabled = !history.length && !camera?.numTaken;
  drawClasses();
}

function drawClasses() {
  const known = [...new Set([...labels, ...Object.keys(counts)])].filter((label) => label !== BACKGROUND && label !== DISCARD);
  labels = known;
  const rows = [...known.map((label, index) => [label, index < 9 ? `${index + 1}` : ""]), [BACKGROUND, "0"], [DISCARD, "Del"]];
  const buttons = rows.map(([label, key]) => {
    const button = make("button", "", "");
    button.type = "button";
    button.dataset.label = label;
    if (key) button.append(make("kbd", "", key));
    button.append(make("span", "", label), make("span", "count", `${counts[label] ?? 0}`));
    return button;
  });
  const other = make("button", "", "");
  other.type = "button";
  other.id = "other";
  other.append(make("kbd", "", "/"), "other");
  const focused = document.activeElement?.dataset?.label;
  $("classes").replaceChildren(...buttons, other);
  if (focused !== undefined) buttons.find((button) => button.dataset.label === focused)?.focus();
  $("known").replaceChildren(...known.map((label) => Object.assign(document.createElement("option"), { value: label })));
}

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

// --- what is done ------------------------------------------------------------------------------------------------

// Shows the labels at once and sends them; tiles whose label is refused are shown as before, with the reason.
async function give(pairs) {
  if (!pairs.length) return;
  const step = { page: [...page], skipped, tiles: pairs.map(([tile]) => tile), before: pairs.map(([tile]) => tile.done) };
  for (const [tile, label] of pairs) tile.done = label;
  history.push(step);
  chosen.clear();
  while (here < page.length - 1 && page[here] && !isLeft(page[here])) here += 1;
  const byLabel = new Map();
  for (const [tile, label] of pairs) byLabel.set(label, [...(byLabel.get(label) ?? []), ...tile.frames.map((frame) => frame[0])]);
  const steps = [...byLabel].map(([label, frames]) => ({ frames, label }));
  $("said").textContent = steps.map((s) => `${plural(s.frames.length, "frame")}: ${s.label}`).join(", ");
  if (page.every((tile) => !isLeft(tile))) turn();
  else render();
  try {
    ({ counts } = await server.label(steps));
    trouble("");
  } catch (error) {
    trouble(error.message);
    step.tiles.forEach((tile, index) => { tile.done = step.before[index]; });
    history = history.filter((other) => other !== step);
  }
  render();
}

function labelChosen(label) {
  if (camera) return;
  const targets = chosen.size ? [...chosen] : page[here] ? [page[here]] : [];
  give(targets.map((tile) => [tile, label]));
}

function accept() {
  const targets = (chosen.size ? [...chosen] : page.filter(isLeft)).filter((tile) => tile.label);
  if (targets.length) give(targets.map((tile) => [tile, tile.label]));
  else turn(page.filter(isLeft).length);
}

async function undo() {
  if (camera) return camera.undo();
  const step = history.pop();
  if (!step) return;
  step.tiles.forEach((tile, index) => { tile.done = step.before[index]; });
  ({ page, skipped } = step);
  here = 0;
  chosen.clear();
  render();
  try {
    ({ counts } = await server.undo());
    $("said").textContent = "undone";
    trouble("");
  } catch (error) {
    trouble(error.message);
    step.tiles.forEach((tile) => { tile.done = "as before"; });
  }
  render();
}

// Turns a stack into one tile per frame, permanently; each suggests what the model said about it.
function open(tile) {
  if (!tile || tile.frames.length < 2 || !isLeft(tile)) return;
  const known = new Set([...labels, BACKGROUND]);
  const single = tile.frames.map((frame) => known.has(frame[4])
    ? { ...tile, frames: [frame], label: frame[4], score: frame[5] } : { ...tile, frames: [frame] });
  tiles.splice(tiles.indexOf(tile), 1, ...single);
  page = single.slice(0, LETTERS.length);
  here = 0;
  chosen.clear();
  render();
}

function enlarge(tile) {
  if (!tile) return;
  $("large-image").src = `frame/${tile.frames[0][0]}`;
  $("large-words").textContent = words(tile);
  $("large").showModal();
}

function choose(index, toggle = true) {
  if (!page[index] || !isLeft(page[index])) return;
  here = index;
  if (toggle && chosen.has(page[index])) chosen.delete(page[index]);
  else chosen.add(page[index]);
  render();
}

function move(by, choosing) {
  if (choosing) choose(here, false);
  here = Math.min(page.length - 1, Math.max(0, here + by));
  if (choosing) choose(here, false);
  render();
}

async function askName() {
  $("name").value = "";
  $("names").returnValue = "";
  $("names").showModal();
}

// --- keys, mouse and touch ---------------------------------------------------------------------------------------

const KEYS = {
  Enter: accept, Backspace: undo, Delete: () => labelChosen(DISCARD), "-": () => labelChosen(DISCARD), "/": askName,
  0: () => labelChosen(BACKGROUND), " ": () => choose(here), ".": () => open(page[here]),
  "+": () => enlarge(page[here]), "=": () => enlarge(page[here]), "?": () => $("keys").showModal(),
  Escape: () => { chosen.clear(); render(); },
  PageDown: () => turn(page.filter(isLeft).length), PageUp: () => turn(-room($("tiles")).num),
};

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) {
    if ($("large").open && ["+", "=", " ", "Enter"].includes(event.key)) { event.preventDefault(); $("large").close(); }
    return;
  }
  if (["INPUT", "SELECT"].includes(event.target.tagName) || event.altKey || event.metaKey) return;
  // A button that has the focus takes its own keys.
  if (event.target.tagName === "BUTTON" && [" ", "Enter"].includes(event.key)) return;
  if (event.ctrlKey) {
    if (event.key === "z") { event.preventDefault(); undo(); }
    return;
  }
  const columns = Number($("tiles").style.getPropertyValue("--columns"));
  const arrows = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const digit = "123456789".indexOf(event.key);
  if (camera?.keyDown(event, labels)) return event.preventDefault();
  if (event.key in arrows) move(arrows[event.key], event.shiftKey);
  else if (digit >= 0 && labels[digit] !== undefined) labelChosen(labels[digit]);
  else if (event.key in KEYS) KEYS[event.key]();
  else if (event.key.length === 1 && LETTERS.includes(event.key.toLowerCase())) choose(LETTERS.indexOf(event.key.toLowerCase()));
  else return;
  event.preventDefault();
});

$("tiles").addEventListener("click", (event) => {
  const item = event.target.closest("li[data-index]");
  if (item) choose(Number(item.dataset.index));
});
$("tiles").addEventListener("dblclick", (event) => {
  const item = event.target.closest("li[data-index]");
  if (item) enlarge(page[Number(item.dataset.index)]);
});
$("classes").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.id === "other") askName();
  else if (button) labelChosen(button.dataset.label);
});
$("accept").addEventListener("click", accept);
$("undo").addEventListener("click", undo);
$("next").addEventListener("click", KEYS.PageDown);
$("back").addEventListener("click", KEYS.PageUp);
$("help").addEventListener("click", KEYS["?"]);
$("large").addEventListener("click", () => $("large").close());
$("names-close").addEventListener("click", () => $("names").close(""));
$("names").addEventListener("close", () => {
  const name = $("name").value.trim();
  if ($("names").returnValue !== "ok" || !name) return;
  if (camera && !labels.includes(name)) { labels = [...labels, name]; render(); }
  labelChosen(name);
});
for (const id of ["day", "camera", "looks", "order"]) {
  $(id).addEventListener("change", () => { skipped = 0; $(id).blur(); turn(); });
}
addEventListener("resize", () => turn());
$("to-capture").addEventListener("click", () => showCamera(!camera));

async function showCamera(on) {
  if (!on) { location.reload(); return; }
  for (const id of ["tiles", "question", "accept", "next", "back"]) $(id).hidden = true;
  $("capture").hidden = false;
  $("to-capture").textContent = "Frames";
  try {
    camera = await startCapture($("video"), $("classes"), (found) => {
      if (found.counts) counts = found.counts;
      $("capture-said").textContent = found.words;
      trouble(found.trouble ?? "");
      render();
    });
  } catch (error) {
    trouble(`The camera cannot be used: ${error.message}.`);
  }
  render();
}

// --- start -------------------------------------------------------------------------------------------------------

function fill(id, all, entries) {
  const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  $(id).replaceChildren(option("", all), ...entries.map(([value, text]) => option(value, text)));
  $(id).closest("label").hidden = entries.length < 2;
}

async function start() {
  const found = await server.load();
  tiles = found.tiles.map((tile) => ({ ...tile, done: null }));
  ({ labels, counts } = found);
  numFrames = found.num_frames;
  fill("day", "all", Object.entries(found.days).map(([day, num]) => [day, `${day} (${num})`]));
  fill("camera", "all", Object.entries(found.cameras).map(([name, num]) => [`=${name}`, `${name || "none"} (${num})`]));
  const looks = [...new Set(tiles.map((tile) => tile.label))].sort();
  fill("looks", "anything", looks.map((label) => [`=${label}`, label || "no suggestion"]));
  $("to-capture").hidden = !found.capture;
  $("order").closest("label").hidden = !tiles.length;
  drawClasses(); // before the tiles, which get the room that is left
  if (found.capture && !numFrames) await showCamera(true);
  else turn();
}

start().catch((error) => trouble(error.message));
