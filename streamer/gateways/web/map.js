// Draws the latest metres of the web, newest at the top. A pixel shows the worst of its cells: an
// alarm before "not inspected", that before any lower score, so that nothing is lost by scaling.
const MASKED = 253, NOT_INSPECTED = 254, EMPTY = 255, LEVEL = 100;
const LEFT = 64, BOTTOM = 34, TOP = 8, RIGHT = 10;
const RANK = new Uint16Array(256);
for (let cell = 0; cell < 256; cell++) {
  RANK[cell] = cell === EMPTY ? 0 : cell === MASKED ? 1 : cell === NOT_INSPECTED ? 500
    : cell < LEVEL ? 2 + cell : 1000 + cell;
}

const mix = (from, to, part) => from.map((value, i) => Math.round(value + (to[i] - value) * part));

function colour(cell) {
  if (cell === MASKED) return [74, 74, 74];
  if (cell === EMPTY) return [11, 14, 18];
  if (cell < LEVEL) return mix([18, 32, 50], [74, 112, 150], cell / LEVEL);
  return mix([255, 140, 20], [255, 248, 200], Math.min(1, (cell - LEVEL) / 150));
}
const COLOURS = Array.from({ length: 256 }, (_, cell) => colour(cell));
const HATCH = [[0, 0, 0], [204, 121, 167]];

export class WebMap {
  constructor(canvas) {
    this.canvas = canvas;
    this.strips = [];
    this.places = [];
    this.length = 10000;
    this.due = false;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  // The first rows after a connection are all that the server keeps.
  restart() { this.strips = []; this.draw(); }

  add(rows) {
    for (const one of rows) {
      if (this.strips.length && this.strips[0].roll !== one.roll) this.strips = [];
      const cells = Uint8Array.from(atob(one.cells), (c) => c.charCodeAt(0));
      this.strips.push({ ...one, cells });
    }
    const last = this.strips.at(-1);
    if (last) this.strips = this.strips.filter((one) => one.end_mm > last.end_mm - this.length);
    this.draw();
  }

  mark(alarms) { this.places = alarms; this.draw(); }

  draw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; this.paint(); });
  }

  paint() {
    const scale = window.devicePixelRatio || 1, { clientWidth: wide, clientHeight: high } = this.canvas;
    if (wide < LEFT + 40 || high < 100) return;
    this.canvas.width = wide * scale;
    this.canvas.height = high * scale;
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    const box = { x: LEFT, y: TOP, w: wide - LEFT - RIGHT, h: high - TOP - BOTTOM };
    const last = this.strips.at(-1);
    this.frame(pen, box);
    if (!last) return;
    box.end = last.end_mm;
    box.width = last.width_mm;
    box.mm = this.length;
    this.cells(pen, box, scale);
    this.scales(pen, box);
    this.marks(pen, box, last.roll);
  }

  frame(pen, box) {
    pen.fillStyle = "#0b0e12";
    pen.fillRect(box.x, box.y, box.w, box.h);
    pen.font = "14px system-ui, sans-serif";
    pen.fillStyle = "#a9b6c4";
    if (!this.strips.length) pen.fillText("waiting for the web", box.x + 12, box.y + 24);
  }

  cells(pen, box, scale) {
    const w = Math.round(box.w * scale), h = Math.round(box.h * scale);
    const image = pen.createImageData(w, h), worst = new Uint8Array(w * h).fill(EMPTY);
    for (const strip of this.strips) this.gather(strip, box, { w, h, worst });
    for (let i = 0; i < worst.length; i++) {
      const cell = worst[i], x = i % w, y = (i / w) | 0;
      const rgb = cell === NOT_INSPECTED ? HATCH[((x + y) >> 2) & 1] : COLOURS[cell];
      image.data[4 * i] = rgb[0];
      image.data[4 * i + 1] = rgb[1];
      image.data[4 * i + 2] = rgb[2];
      image.data[4 * i + 3] = 255;
    }
    pen.putImageData(image, Math.round(box.x * scale), Math.round(box.y * scale));
  }

  gather(strip, box, to) {
    const row_mm = (strip.end_mm - strip.first_mm) / strip.rows;
    for (let row = 0; row < strip.rows; row++) {
      const begin = strip.first_mm + row * row_mm;
      const high = Math.max(0, Math.floor((box.end - begin - row_mm) / box.mm * to.h));
      const low = Math.min(to.h, Math.ceil((box.end - begin) / box.mm * to.h));
      for (let column = 0; column < strip.columns; column++) {
        const cell = strip.cells[row * strip.columns + column];
        const left = Math.floor(column / strip.columns * to.w);
        const right = Math.ceil((column + 1) / strip.columns * to.w);
        this.fill(to, cell, { left, right, high, low });
      }
    }
  }

  fill(to, cell, { left, right, high, low }) {
    for (let y = high; y < low; y++) {
      for (let at = y * to.w + left, end = y * to.w + right; at < end; at++) {
        if (RANK[cell] > RANK[to.worst[at]]) to.worst[at] = cell;
      }
    }
  }

  scales(pen, box) {
    pen.strokeStyle = "#a9b6c4";
    pen.fillStyle = "#eef2f6";
    pen.lineWidth = 1;
    pen.textAlign = "right";
    const step = tick(box.mm / 8);
    for (let mm = Math.ceil((box.end - box.mm) / step) * step; mm <= box.end; mm += step) {
      const y = box.y + (box.end - mm) / box.mm * box.h;
      if (mm < 0 || y > box.y + box.h - 4) continue;
      line(pen, box.x - 6, y, box.x, y);
      pen.fillText(`${(mm / 1000).toFixed(step < 100 ? 2 : step < 1000 ? 1 : 0)} m`, box.x - 9, y + 5);
    }
    pen.textAlign = "center";
    const across = tick(box.width / Math.max(2, box.w / 90));
    for (let mm = 0; mm <= box.width; mm += across) {
      const x = box.x + mm / box.width * box.w, y = box.y + box.h;
      line(pen, x, y, x, y + 6);
      pen.fillText(`${+mm.toFixed(1)}`, Math.min(x, box.x + box.w - 12), y + 21);
    }
    pen.textAlign = "right";
    pen.fillText("mm", box.x - 9, box.y + box.h + 21);
  }

  marks(pen, box, roll) {
    for (const { region_mm: at, roll: its, kind } of this.places) {
      if (kind !== "defect" || its !== roll || at.down_end < box.end - box.mm) continue;
      const x = box.x + (at.cross_first + at.cross_end) / 2 / box.width * box.w;
      const y = box.y + Math.max(0, (box.end - (at.down_first + at.down_end) / 2) / box.mm * box.h);
      const w = (at.cross_end - at.cross_first) / 2 / box.width * box.w;
      const h = (at.down_end - at.down_first) / 2 / box.mm * box.h;
      for (const [style, wide] of [["#000", 5], ["#fff", 2]]) {
        pen.strokeStyle = style;
        pen.lineWidth = wide;
        pen.beginPath();
        pen.ellipse(x, Math.min(y, box.y + box.h), Math.max(9, w + 6), Math.max(9, h + 6), 0, 0, 7);
        pen.stroke();
      }
    }
  }
}

function line(pen, x, y, to_x, to_y) {
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(to_x, to_y);
  pen.stroke();
}

// 1, 2 or 5 times a power of ten, not less than `mm`.
function tick(mm) {
  const power = 10 ** Math.floor(Math.log10(mm));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= mm);
}
