// Reads the stream of frames and paints the newest, with a frame around the part that the model sees. Each frame says how
// old it was when it left; its delay on the way is estimated from the quickest frame so far.

const text = new TextDecoder();

function headEnd(bytes) {
  for (let i = 0; i + 3 < bytes.length; i++) {
    if (bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) return i + 4;
  }
  return -1;
}

export async function readFrames(signal, onPicture) {
  const answer = await fetch("stream.mjpg", { signal });
  if (!answer.ok) throw new Error((await answer.text()).trim());
  const reader = answer.body.getReader();
  let held = new Uint8Array(0);
  const more = async () => {
    const { value, done } = await reader.read();
    if (done) throw new Error("The stream of frames ended.");
    const joined = new Uint8Array(held.length + value.length);
    joined.set(held);
    joined.set(value, held.length);
    held = joined;
  };
  for (;;) {
    let start;
    while ((start = headEnd(held)) < 0) await more();
    const fields = {};
    for (const line of text.decode(held.subarray(0, start)).split("\r\n")) {
      const colon = line.indexOf(": ");
      if (colon > 0) fields[line.slice(0, colon).toLowerCase()] = line.slice(colon + 2);
    }
    const end = start + Number(fields["content-length"]);
    while (held.length < end) await more();
    onPicture(fields, held.slice(start, end));
    held = held.slice(end);
  }
}

// Where the model looked: the frame in grey, and orange where something spoke for the class. docs/outputs.md describes
// `heat`; pixels/heat.py draws the same.
function drawHeat(pen, heat, box) {
  const fields = heat.split(","), { width, height } = pen.canvas;
  const [columns, rows, left, top, across, down] = fields.slice(0, 6).map(Number), cells = atob(fields[6]);
  const map = new ImageData(columns, rows);
  for (let i = 0; i < columns * rows; i++) map.data.set([255, 110, 0, 0.8 * cells.charCodeAt(i)], 4 * i);
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d").putImageData(map, 0, 0);
  pen.save();
  pen.globalCompositeOperation = "saturation";
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, width, height);
  pen.globalCompositeOperation = "source-over";
  pen.fillStyle = "rgba(0, 0, 0, .2)";
  pen.fillRect(0, 0, width, height);
  pen.beginPath();
  pen.rect(...box);
  pen.clip();
  pen.imageSmoothingQuality = "high";
  pen.drawImage(small, left * width, top * height, across * width, down * height);
  pen.restore();
}

export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.crop = null;
    this.seq = null;
    this.capturedAt = null;
    this.quickest = Infinity;
    this.next = null;
    this.busy = false;
    this.showsHeat = false;
  }

  restart() {
    this.quickest = Infinity;
  }

  add(fields, jpeg) {
    const now = performance.now();
    const onTheWay = now - Number(fields["x-sent-ms"]);
    this.quickest = Math.min(this.quickest + 0.05, onTheWay);
    const capturedAt = now - Number(fields["x-age-ms"]) - (onTheWay - this.quickest);
    this.next = { jpeg, capturedAt, seq: fields["x-seq"], crop: fields["x-crop"].split(",").map(Number), heat: fields["x-heat"] };
    if (!this.busy) this.paint();
  }

  async paint() {
    this.busy = true;
    while (this.next) {
      const frame = this.next;
      this.next = null;
      try {
        const image = await createImageBitmap(new Blob([frame.jpeg], { type: "image/jpeg" }));
        this.draw(image, frame.crop, this.showsHeat ? frame.heat : "");
        image.close();
        Object.assign(this, { seq: frame.seq, crop: frame.crop, capturedAt: frame.capturedAt });
      } catch (error) {
        console.warn("a frame could not be decoded", error);
      }
    }
    this.busy = false;
  }

  draw(image, [left, top, width, height], heat) {
    const { canvas } = this;
    if (canvas.width !== image.width || canvas.height !== image.height) {
      canvas.width = image.width;
      canvas.height = image.height;
    }
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    const box = [left * canvas.width, top * canvas.height, width * canvas.width, height * canvas.height];
    if (heat) drawHeat(pen, heat, box);
    if (width < 1 || height < 1) {
      pen.fillStyle = "rgba(0, 0, 0, .5)";
      pen.beginPath();
      pen.rect(0, 0, canvas.width, canvas.height);
      pen.rect(...box);
      pen.fill("evenodd");
    }
    const thick = Math.max(2, canvas.width / 240);
    for (const [colour, dash] of [["#000", []], ["#ffd54a", [4 * thick, 3 * thick]]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.setLineDash(dash);
      pen.strokeRect(box[0] + thick / 2, box[1] + thick / 2, box[2] - thick, box[3] - thick);
    }
  }
}
