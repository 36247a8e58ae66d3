// The browser's own camera: while a class's key or button is held, an image goes into that class five times a second.
import * as server from "./server.js";

const EVERY_MS = 200, QUALITY = 0.95, MOST_WAITING = 5;

export async function startCapture(video, buttons, tell) {
  if (!navigator.mediaDevices) throw new Error("the browser allows cameras only on https and on localhost");
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, height: { ideal: 480 } }, audio: false });
  const canvas = document.createElement("canvas");
  let held = null, burst = "", waiting = 0, taken = 0;
  const bursts = [];

  async function shoot() {
    if (held === null || waiting >= MOST_WAITING || !video.videoWidth) return;
    const label = held, mine = burst;
    waiting += 1;
    try {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      canvas.getContext("2d").drawImage(video, 0, 0);
      const jpeg = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
      const answer = await server.capture(jpeg, label, mine);
      if (answer.new) {
        taken += 1;
        if (bursts.at(-1) !== mine) bursts.push(mine);
      }
      tell({ counts: answer.counts, words: `${taken} taken: ${label}` });
    } catch (error) {
      tell({ words: `${taken} taken`, trouble: error.message });
    } finally {
      waiting -= 1;
    }
  }

  function hold(label) {
    if (held === label) return;
    held = label;
    burst = crypto.randomUUID();
    mark();
    shoot();
  }
  function release() {
    held = null;
    mark();
  }
  function mark() {
    for (const button of buttons.querySelectorAll("button")) button.classList.toggle("held", held !== null && button.dataset.label === held);
  }

  setInterval(shoot, EVERY_MS);
  document.addEventListener("keyup", release);
  addEventListener("blur", release);
  buttons.addEventListener("pointerdown", (event) => {
    const label = event.target.closest("button")?.dataset.label;
    if (label !== undefined && label !== "discard") hold(label);
  });
  for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, release);

  return {
    get numTaken() { return bursts.length; },
    // Whether the key was one of a class, which is held down for the camera.
    keyDown(event, labels) {
      const label = event.key === "0" ? "background" : labels["123456789".indexOf(event.key)];
      if (label === undefined) return false;
      if (!event.repeat) hold(label);
      return true;
    },
    async undo() {
      try {
        const { counts } = await server.undo();
        bursts.pop();
        tell({ counts, words: "The last burst is now in the folder .discarded." });
      } catch (error) {
        tell({ words: `${taken} taken`, trouble: error.message });
      }
    },
  };
}
