// The maps play: points on plain canvases (no WebGL, so that the file plays wherever it is opened), all layers in step.
(() => {
  const MS_PER_EPOCH = 500;
  const REACH = 14; // pixels from the mouse to the point that it means
  const FILL = 0.94; // of the canvas: points at the edge stay whole
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const { n, layers, epochs, classes, splitNames } = data;
  const values = new Int16Array(bytes(data.frames).buffer); // [epoch][layer][component][sample]
  const labels = new Int16Array(bytes(data.labels).buffer);
  const splits = bytes(data.splits);
  const hidden = new Set();
  const last = epochs.length - 1;
  const style = getComputedStyle(document.documentElement);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const byId = (id) => document.getElementById(id);
  const make = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const ease = (t) => (t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2);
  const colorOf = (label) => (label < 0 ? data.noClass : data.colors[label]);
  const nameOf = (label) => (label < 0 ? "no class" : classes[label]);

  // Rows of one class and split are drawn as one path; train first, val on top.
  const groups = new Map();
  for (let row = 0; row < n; row++) {
    const key = `${[0, 2, 1].indexOf(splits[row])}/${labels[row]}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  const ordered = [...groups].sort(([a], [b]) => a.localeCompare(b)).map(([, rows]) => rows);

  let at = 0; // place among the epochs; whole while nothing moves
  let marked = null;
  let timer = 0;

  class LayerMap {
    constructor(number) {
      this.number = number;
      this.note = make("small", {});
      const caption = make("figcaption", {}, make("span", { textContent: layers[number] }), this.note);
      this.root = make("figure", { className: "card" }, caption);
      byId("grid").append(this.root);
      if (data.blank[number]) {
        this.root.append(make("div", { className: "blank", textContent: "no such map of this layer" }));
        return;
      }
      this.canvas = make("canvas", {});
      this.canvas.setAttribute("role", "img");
      this.root.append(this.canvas);
      this.x = new Float32Array(n);
      this.y = new Float32Array(n);
      this.canvas.addEventListener("mousemove", (event) => this.hover(event));
      this.canvas.addEventListener("mouseleave", () => hint(null));
      new ResizeObserver(() => this.draw()).observe(this.canvas);
    }

    place(width, height) {
      const before = Math.floor(at);
      const after = Math.min(last, before + 1);
      const share = ease(at - before);
      const [wide, high] = data.shapes[this.number];
      const scale = (FILL * Math.min(width / (wide || 1e-9), height / (high || 1e-9), 1e6)) / 2 / 32767;
      const offset = (epoch, component) => ((epoch * layers.length + this.number) * 2 + component) * n;
      const [x0, x1, y0, y1] = [offset(before, 0), offset(after, 0), offset(before, 1), offset(after, 1)];
      for (let row = 0; row < n; row++) {
        this.x[row] = width / 2 + scale * (values[x0 + row] + share * (values[x1 + row] - values[x0 + row]));
        this.y[row] = height / 2 - scale * (values[y0 + row] + share * (values[y1 + row] - values[y0 + row]));
      }
    }

    draw() {
      if (!this.canvas) return;
      const { clientWidth: width, clientHeight: height } = this.canvas;
      const dense = Math.min(devicePixelRatio || 1, 2);
      if (this.canvas.width !== Math.round(width * dense)) this.canvas.width = Math.round(width * dense);
      if (this.canvas.height !== Math.round(height * dense)) this.canvas.height = Math.round(height * dense);
      const nearest = Math.round(at);
      this.note.textContent = [data.method, data.notes[nearest][this.number]].filter(Boolean).join(" · ");
      this.canvas.setAttribute("aria-label", `${layers[this.number]}, epoch ${epochs[nearest]}, ${this.note.textContent}`);
      this.place(width, height);
      const pen = this.canvas.getContext("2d");
      pen.setTransform(dense, 0, 0, dense, 0, 0);
      pen.clearRect(0, 0, width, height);
      pen.globalAlpha = 0.85;
      const scale = Math.min(1.5, Math.max(0.55, ((width * height) / n / 30) ** 0.3));
      for (const rows of ordered) {
        if (hidden.has(labels[rows[0]])) continue;
        pen.fillStyle = colorOf(labels[rows[0]]);
        pen.beginPath();
        const half = (data.splitSizes[splits[rows[0]]] * scale) / 2;
        for (const row of rows) SHAPES[splits[row]](pen, this.x[row], this.y[row], half);
        pen.fill();
      }
      pen.globalAlpha = 1;
      if (marked !== null) this.ring(pen);
    }

    ring(pen) {
      for (const [color, width] of [["--surface", 5], ["--text", 2]]) {
        pen.strokeStyle = style.getPropertyValue(color);
        pen.lineWidth = width;
        pen.beginPath();
        pen.arc(this.x[marked], this.y[marked], 8, 0, 7);
        pen.stroke();
      }
    }

    hover(event) {
      const box = this.canvas.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      let found = null;
      let least = REACH ** 2;
      for (let row = 0; row < n; row++) {
        const distance = (this.x[row] - x) ** 2 + (this.y[row] - y) ** 2;
        if (distance < least && !hidden.has(labels[row])) [found, least] = [row, distance];
      }
      hint(found, event.clientX, event.clientY);
    }
  }

  const SHAPES = [
    (pen, x, y, half) => {
      pen.moveTo(x + half, y);
      pen.arc(x, y, half, 0, 7);
    },
    (pen, x, y, half) => {
      pen.moveTo(x, y - half);
      pen.lineTo(x + half, y);
      pen.lineTo(x, y + half);
      pen.lineTo(x - half, y);
      pen.closePath();
    },
    (pen, x, y, half) => {
      const bar = half * 0.3;
      for (const [dx, dy] of [[1, 1], [1, -1]]) {
        pen.moveTo(x - half * dx - bar * dy, y - half * dy + bar * dx);
        pen.lineTo(x + half * dx - bar * dy, y + half * dy + bar * dx);
        pen.lineTo(x + half * dx + bar * dy, y + half * dy - bar * dx);
        pen.lineTo(x - half * dx + bar * dy, y - half * dy - bar * dx);
        pen.closePath();
      }
    },
  ];

  /** What a point is; texts of the data are shown and never run. */
  function hint(row, x, y) {
    if (row !== marked) {
      marked = row;
      maps.forEach((map) => map.draw());
    }
    const card = byId("hint");
    card.hidden = row === null;
    if (row === null) return;
    const lines = [make("strong", { textContent: data.ids ? data.ids[row] : `sample ${row}` })];
    lines.push(make("span", { textContent: `${nameOf(labels[row])} · ${splitNames[splits[row]]}` }));
    if (data.texts) lines.push(make("div", { textContent: data.texts[row] }));
    card.replaceChildren(...lines);
    card.style.left = `${Math.max(8, Math.min(x + 18, innerWidth - card.offsetWidth - 8))}px`;
    card.style.top = `${Math.max(8, Math.min(y + 14, innerHeight - card.offsetHeight - 8))}px`;
  }

  function show(place) {
    at = place;
    byId("at").value = Math.round(at);
    byId("epoch").textContent = `epoch ${epochs[Math.round(at)]}`;
    byId("player").dataset.at = at;
    maps.forEach((map) => map.draw());
  }

  function stop() {
    cancelAnimationFrame(timer);
    timer = 0;
    byId("play").textContent = "▶";
    byId("play").setAttribute("aria-label", "play the epochs");
  }

  function play() {
    byId("play").textContent = "❚❚";
    byId("play").setAttribute("aria-label", "pause");
    const from = at >= last ? 0 : at;
    let began = null;
    const step = (now) => {
      began ??= now;
      const next = Math.min(last, from + (now - began) / MS_PER_EPOCH);
      show(still ? Math.floor(next) : next);
      if (next < last) timer = requestAnimationFrame(step);
      else stop();
    };
    timer = requestAnimationFrame(step);
  }

  function legend() {
    const present = [...classes.keys(), -1].filter((label) => labels.includes(label));
    for (const label of present) {
      const dot = make("i", {});
      dot.style.background = colorOf(label);
      const button = make("button", { type: "button" }, dot, nameOf(label));
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => {
        if (!hidden.delete(label)) hidden.add(label);
        button.setAttribute("aria-pressed", String(!hidden.has(label)));
        maps.forEach((map) => map.draw());
      });
      byId("legend").append(button);
    }
    const marks = ["● ", "◆ ", "✕ "];
    const there = splitNames.filter((_, split) => splits.includes(split));
    const text = there.map((name) => marks[splitNames.indexOf(name)] + name).join("   ");
    byId("legend").append(make("p", { textContent: `${text}   (click a class to hide it)` }));
  }

  const maps = layers.map((_, number) => new LayerMap(number));
  legend();
  byId("at").max = last;
  byId("at").addEventListener("input", (event) => {
    stop();
    show(Number(event.target.value));
  });
  byId("play").addEventListener("click", () => (timer ? stop() : play()));
  byId("play").disabled = last === 0;
  show(last);
})();
