// The live page: shows what the server says, as text only, and says so when nothing fresh arrives.
import { Painter, readFrames } from "./frames.js";
import { copyFlag, letRegionBeDragged } from "./region.js";

const LOST_MS = 3000;
const $ = (id) => document.getElementById(id);
const painter = new Painter($("frame"));
let state = null, heardAt = performance.now(), source = null, reading = null, frameTrouble = "", paused = false;
let said = "", pending = "", pendingSince = 0;

const percent = (value, digits = 0) => `${(100 * value).toFixed(digits)} %`;
const show = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
const make = (tag, className, text) => Object.assign(document.createElement(tag), { className, textContent: text });

function listen() {
  source?.close();
  source = new EventSource("api/events");
  source.addEventListener("state", (event) => {
    state = JSON.parse(event.data);
    heardAt = performance.now();
    render();
  });
  source.addEventListener("error", () => { heardAt = Math.min(heardAt, performance.now() - LOST_MS - 1); });
}

async function watch() {
  if (reading || paused || document.hidden) return;
  reading = new AbortController();
  const { signal } = reading;
  painter.restart();
  try {
    await readFrames(signal, (fields, jpeg) => { frameTrouble = ""; painter.add(fields, jpeg); });
  } catch (error) {
    if (!signal.aborted) {
      frameTrouble = error instanceof TypeError ? "The stream of frames was interrupted." : error.message;
      setTimeout(watch, 2000);
    }
  }
  if (reading?.signal === signal) reading = null;
}

function stopWatching() {
  reading?.abort();
  reading = null;
}

// What is shown over the frame; nothing while it is live.
function veil(lost, age) {
  if (lost) return "Connection lost\ntrying again";
  if (state.health.level === "bad") return `${capital(state.health.chip)}\n${state.health.reasons[0] ?? ""}`;
  if (paused) return "Paused";
  if (frameTrouble) return frameTrouble;
  if (painter.capturedAt === null) return "Waiting for the first frame";
  return overdue(age);
}

// That the newest frame is too old, or nothing; a camera of unknown rate is called silent only much later.
function overdue(age) {
  return state.camera.fresh_ms !== null && age > state.camera.fresh_ms ? `No fresh frame for ${(age / 1000).toFixed(0)} s` : "";
}

const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

function tick() {
  const now = performance.now(), lost = now - heardAt > LOST_MS;
  if (lost && !document.hidden && (!source || source.readyState === EventSource.CLOSED || now - heardAt > 3 * LOST_MS)) {
    heardAt = now - LOST_MS - 1;
    listen();
  }
  const waiting = state === null;
  const age = painter.capturedAt === null ? Infinity : Math.max(0, now - painter.capturedAt);
  const words = waiting && !lost ? "Connecting" : veil(lost, age);
  show("veil", words);
  $("veil").hidden = !words;
  $("stage").className = words ? "old" : "";
  document.body.className = lost ? "lost" : "";
  show("age", age === Infinity ? "no frame" : age < 1000 ? `${age.toFixed(0)} ms old` : `${(age / 1000).toFixed(age < 1e4 ? 1 : 0)} s old`);
  $("age").className = words ? "late" : "";
  const [, , width, height] = painter.crop ?? [0, 0, 1, 1];
  show("crop", width < 1 || height < 1 ? "· the model sees the framed part" : "· the model sees the whole frame");
  if (lost) {
    chip("bad", "connection lost", "nothing heard from the device; trying again");
    renderLabel(null);
    show("rest", "");
  } else if (state) {
    const { level, chip: word, reasons } = state.health;
    const late = level === "good" && age !== Infinity && !paused ? overdue(age) : "";
    if (late) chip("warn", "waiting", late);
    else chip(level, word, reasons.join("; "));
  }
  $("frame").setAttribute("aria-label", words ? `not live: ${words.replace("\n", ": ")}` : `live frame of ${state.camera.name}`);
  speak(now);
}

function chip(level, word, reason) {
  $("chip").dataset.level = level;
  show("chip-word", word);
  show("chip-reason", reason);
}

// A screen reader hears a label only after it has stood for a second.
function speak(now) {
  const words = $("label").textContent;
  if (words !== pending) { pending = words; pendingSince = now; }
  if (pending !== said && now - pendingSince > 1000) { said = pending; show("say", said); }
}

function render() {
  const { health, camera } = state;
  show("camera", camera.name || "Camera");
  document.title = `${state.label?.shown || health.chip} · ${camera.name || "edge-runtime"}`;
  renderLabel(state.label);
  renderRest();
  renderHeat();
  renderFacts();
  renderChanges();
}

function unknownBecause({ reason }, best, threshold) {
  const why = best.score < threshold ? `below ${percent(threshold)}` : "";
  return `${reason || "unknown"}; best guess ${best.label}${why ? `, ${why}` : ""}`;
}

// For a camera that skips frames on purpose: how old the label is, and that this is intended.
function renderRest() {
  const at = (ts) => new Date(1000 * ts).toLocaleTimeString([], { hour12: false });
  const words = state.rest.still_since === null ? [] : [`Nothing has moved since ${at(state.rest.still_since)}`];
  if (state.label && state.rest.last_known) words.push(`last known label from ${at(state.label.ts)}`);
  show("rest", capital(words.join("; ")));
}

function renderHeat() {
  const can = !state.model || state.model.has_maps;
  $("heat").disabled = !can;
  $("heat").title = can ? "" : "This model cannot show it: it does not end in global average pooling and a dense layer.";
}

function renderLabel(label) {
  show("label", label ? label.shown || "undecided" : "no label");
  $("label").className = !label || !label.shown ? "none" : label.unknown ? "unknown" : "";
  const own = state.model?.class_thresholds ?? {}, best = label?.top[0];
  const thresholdOf = (name) => own[name] ?? state.model?.threshold ?? 0;
  show("guess", label?.unknown && best ? unknownBecause(label, best, thresholdOf(best.label)) : "");
  show("provisional", state.model?.provisional ?? "");
  const bars = $("bars"), top = label?.top ?? [];
  bars.className = label?.unknown ? "unknown" : "";
  while (bars.children.length > top.length) bars.lastChild.remove();
  while (bars.children.length < top.length) bars.append(bar());
  top.forEach(({ label: name, score }, i) => {
    const [title, value, track] = bars.children[i].children;
    title.textContent = name;
    value.textContent = percent(score);
    track.children[0].style.width = percent(score, 1).replace(" ", "");
    track.children[1].style.left = `${100 * thresholdOf(name)}%`;
    track.children[1].hidden = !thresholdOf(name);
  });
}

function bar() {
  const row = document.createElement("li"), track = make("span", "track", "");
  track.setAttribute("aria-hidden", "true");
  track.append(make("span", "fill", ""), make("span", "tick", ""));
  row.append(make("span", "name", ""), make("span", "value", ""), track);
  return row;
}

function renderFacts() {
  const { health, rates, counts, latency_ms: latency, model, system } = state;
  const flags = (names) => names.map((name) => name.replaceAll("_", " ")).join(", ");
  const throttling = system.throttled_now === null ? "not reported by this machine"
    : system.throttled_now.length ? `now: ${flags(system.throttled_now)}`
    : system.throttled_since_boot.length ? `earlier: ${flags(system.throttled_since_boot)}` : "none";
  const rows = {
    "Frames per second": `${rates.captured.toFixed(1)} captured, ${rates.processed.toFixed(1)} classified, ${rates.dropped.toFixed(1)} dropped`
      + (counts.skipped ? `, ${rates.skipped.toFixed(1)} skipped on purpose` : ""),
    "Frame to label": latency.p50 === null ? "not measured yet" : `p50 ${latency.p50.toFixed(0)} ms, p95 ${latency.p95.toFixed(0)} ms`,
    "Model": model ? `${model.name}, version ${model.version || "unnamed"}` : "none",
    "Accuracy": model?.provisional ? model.provisional : !model || model.accuracy === null ? "not measured" : `${percent(model.accuracy, 2)} of ${model.num_images.toLocaleString("en")} test images`,
    "Signature": model?.signature ?? "",
    "Region": model?.region || "the whole frame",
    "Backend": model?.backend ?? "",
    "Drift": !model ? "" : !model.watches_drift ? "not watched: the model has no reference"
      : health.causes.includes("drift") ? "yes, see above" : "none",
    "Temperature": system.temperature_c === null ? "not reported by this machine" : `${system.temperature_c.toFixed(1)} °C`,
    "Throttling": throttling,
    ...(state.shadow ? { "Candidate": state.shadow.words } : {}),
    "Camera": `${counts.bad} damaged frames, ${counts.restarts} restarts`,
  };
  const facts = $("facts");
  for (const [name, value] of Object.entries(rows)) {
    let cell = facts.querySelector(`[data-name="${name}"]`);
    if (!cell) {
      cell = make("dd", "", "");
      cell.dataset.name = name;
      facts.append(make("dt", "", name), cell);
    }
    if (cell.textContent !== value) cell.textContent = value;
  }
}

function renderChanges() {
  const list = $("changes"), known = new Map([...list.children].map((row) => [row.dataset.key, row]));
  const rows = state.changes.map((change) => {
    const key = `${change.number} ${change.ts}`;
    return known.get(key) ?? changeRow(key, change);
  });
  if (rows.length !== list.children.length || rows.some((row, i) => row !== list.children[i])) list.replaceChildren(...rows);
}

function changeRow(key, { number, ts, label, score, unknown }) {
  const row = document.createElement("li"), image = document.createElement("img"), when = new Date(1000 * ts);
  row.dataset.key = key;
  Object.assign(image, { alt: "", width: 112, height: 84, src: `thumbs/${number}.jpg?${ts}` });
  image.addEventListener("error", () => setTimeout(() => { image.src = `thumbs/${number}.jpg?${ts}-again`; }, 700), { once: true });
  const time = make("time", "", `${when.toLocaleTimeString([], { hour12: false })}, ${percent(score)}`);
  time.dateTime = when.toISOString();
  row.append(image, make("b", unknown ? "unknown" : "", label), time);
  return row;
}

letRegionBeDragged($("frame"), $("mark"));
$("region-copy").addEventListener("click", (event) => copyFlag(event.currentTarget));
$("heat").addEventListener("click", () => {
  painter.showsHeat = !painter.showsHeat;
  $("heat").setAttribute("aria-pressed", String(painter.showsHeat));
});
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  if (paused) stopWatching(); else watch();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stopWatching();
    source?.close();
    source = null;
  } else {
    heardAt = performance.now() - LOST_MS + 1000;
    listen();
    watch();
  }
});
setInterval(tick, 200);
listen();
watch();
