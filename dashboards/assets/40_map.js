// One map: the points of one layer on a canvas, class names over it, trustworthiness and epoch in its title.
(() => {
  const { state, data, element } = repviz;
  const STEP_MS = 220; // how long points take to their new places after a step
  const LABEL_FONT = "600 11px 'Inter Variable', Inter, sans-serif";
  const ROOM_AT_SCALE_1 = 30; // square pixels per point
  const SMALL_CLUSTER = 12; // pixels: median distance from the middle, in height
  const LONGEST_NAME = 26; // characters of a class name on the map

  const ease = (t) => (t < 0.5 ? 4 * t * t * t : 1 - (-2 * t + 2) ** 3 / 2);

  const shortened = (name) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name);

  function median(rows, valueOf) {
    const values = new Float32Array(rows.length);
    for (let i = 0; i < rows.length; i++) values[i] = valueOf(rows[i]);
    return values.sort()[rows.length >> 1];
  }

  class LayerMap {
    /** `layer`: its name; `renderer`: shared by all maps, for browsers give few WebGL contexts; `events`: callbacks. */
    constructor(layer, renderer, events) {
      this.layer = layer;
      this.events = events;
      this.place = null; // x and y in [-1, 1] of what is shown
      this.centers = null; // class -> [x, y], of the newest frame
      this.oldCenters = null;
      this.glide = null; // { start, duration } while points move
      this.marked = null; // the row that has a ring
      this.shares = [1, 1]; // width and height of the map as shares of the larger
      this.build();
      this.plot = reglScatterplot.createScatterplot({
        renderer,
        canvas: this.points,
        width: "auto",
        height: "auto",
        colorBy: "valueA",
        sizeBy: "valueB",
        opacityBy: "valueA",
        pointColor: ["#888888"],
        deselectOnDblClick: false,
        deselectOnEscape: false,
        lassoOnLongPress: false,
        lassoInitiator: false,
        actionKeyMap: {},
      });
      this.plot.subscribe("pointover", (row) => this.events.over(row, this));
      this.plot.subscribe("pointout", () => this.events.out());
      this.plot.subscribe("select", () => this.plot.deselect({ preventEvent: true }));
      this.plot.subscribe("drawing", () => this.drawLabels());
      // Until someone pans or zooms, the whole map stays in sight whatever shape its card takes.
      this.atHome = true;
      this.points.addEventListener("wheel", () => (this.atHome = false), { passive: true });
      this.points.addEventListener("mousemove", ({ buttons }) => buttons === 1 && (this.atHome = false));
      this.resized = new ResizeObserver(() => this.fit());
      this.resized.observe(this.stage);
    }

    build() {
      this.points = element("canvas", { class: "points", role: "img" });
      this.labels = element("canvas", { class: "labels" });
      this.message = element("p", { class: "map-message", hidden: true });
      this.trust = element("span", { class: "map-trust" });
      this.epoch = element("span", { class: "map-epoch" });
      const focus = () => this.events.focus(this.layer);
      const expand = element("button", { class: "map-button", type: "button", onclick: focus });
      expand.append(element("span", { class: "icon icon-expand", "aria-hidden": "true" }));
      expand.setAttribute("aria-label", `show ${this.layer} alone, or all layers again`);
      const home = element("button", { class: "map-button", type: "button", onclick: () => this.goHome() });
      home.append(element("span", { class: "icon icon-home", "aria-hidden": "true" }));
      home.setAttribute("aria-label", `whole map of ${this.layer}`);
      this.stage = element("div", { class: "map-stage" }, this.points, this.labels, this.message);
      this.root = element(
        "figure",
        { class: "card map", "data-layer": this.layer },
        element(
          "figcaption",
          { ondblclick: focus },
          element("div", { class: "map-title" }, element("h3", {}, this.layer), this.epoch, home, expand),
          this.trust,
        ),
        this.stage,
      );
    }

    /** Colours, sizes and labels as theme, classes and number of points ask for. */
    style(style) {
      this.look = style;
      this.plot.set({ pointColor: style.colors, opacity: style.opacities });
      this.sizePoints();
      this.drawLabels();
    }

    /** The fewer points on the larger card, the larger they are. */
    sizePoints() {
      if (!this.look || !data.sample) return;
      const room = (this.stage.clientWidth * this.stage.clientHeight) / data.sample.n;
      const scale = Math.min(1.7, Math.max(0.55, (room / ROOM_AT_SCALE_1) ** 0.3));
      this.plot.set({ pointSize: data.config.split_sizes.map((size) => size * scale) });
    }

    /** Show a frame; calls that come while one is being drawn are left out but for the newest. */
    async show(frame, box, duration) {
      this.next = { frame, box, duration };
      if (this.busy) return;
      this.busy = true;
      try {
        while (this.next) {
          const { frame, box, duration } = this.next;
          this.next = null;
          await this.draw(frame, box, duration);
        }
      } finally {
        this.busy = false;
      }
    }

    async draw(frame, box, duration) {
      this.describe(frame);
      if (repviz.isBlank(frame, this.layer)) return this.say(`${this.layer} has no such map`);
      this.say(null);
      const place = repviz.place(frame, this.layer, box);
      this.shares = state.axes === "locked" ? repviz.shares(box) : [1, 1];
      if (this.atHome) this.goHome();
      const glides = duration > 0 && this.place !== null && this.place.x.length === frame.n;
      this.oldCenters = glides ? this.centers : null;
      this.centers = this.medians(place);
      this.place = place;
      this.glide = glides ? { start: performance.now(), duration } : null;
      const points = { x: place.x, y: place.y, valueA: data.sample.colors, valueB: data.sample.splits };
      const options = { zDataType: "categorical", wDataType: "categorical", preventFilterReset: true };
      if (glides) Object.assign(options, { transition: true, transitionDuration: duration, transitionEasing: "cubicInOut" });
      await this.plot.draw(points, options);
      this.glide = null;
      this.root.dataset.epoch = frame.epoch;
      if (this.look?.rows !== this.filtered) await this.filter(this.look.rows);
      this.drawLabels();
    }

    describe(frame) {
      const at = frame.layers.indexOf(this.layer);
      const share = frame.explained?.[at]?.filter((v) => v !== null) ?? [];
      const trust = frame.trustworthiness?.[at];
      const chance = frame.trustworthiness_chance?.[at];
      const parts = [];
      if (trust != null) parts.push(`trust ${trust.toFixed(2)}`);
      if (chance != null) parts.push(`chance ${chance.toFixed(2)}`);
      if (share.length) parts.push(`${Math.round(100 * share.reduce((a, b) => a + b))} % of variance`);
      this.trust.textContent = parts.join(" · ");
      const method = data.config.methods.find(([name]) => name === frame.method)?.[1] ?? frame.method;
      this.epoch.textContent = `${method} · epoch ${frame.epoch}`;
      this.points.setAttribute("aria-label", `${this.layer}, ${frame.method}, epoch ${frame.epoch}: ${parts.join(", ")}`);
    }

    /** Draw only these rows; null = all. */
    async filter(rows) {
      this.filtered = rows;
      if (this.place === null) return;
      if (rows) await this.plot.filter(rows, { preventEvent: true });
      else await this.plot.unfilter({ preventEvent: true });
    }

    /** A message instead of points; null takes it away. */
    say(text) {
      this.message.hidden = text === null;
      this.message.textContent = text ?? "";
      this.root.classList.toggle("says", text !== null);
      if (text !== null) delete this.root.dataset.epoch;
    }

    /** Median point of every class, and how far from it half of the class lies in height. */
    medians(place) {
      const found = new Map();
      for (const [label, rows] of data.sample.members) {
        const at = [median(rows, (row) => place.x[row]), median(rows, (row) => place.y[row])];
        const spread = median(rows, (row) => Math.abs(place.y[row] - at[1]));
        found.set(label, { at, spread, size: rows.length });
      }
      return found;
    }

    /** Pixels, from the upper left corner, of a place in the map. */
    screen(x, y) {
      const view = this.plot.get("camera").view;
      const { clientWidth: width, clientHeight: height } = this.stage;
      const u = (view[0] * x + view[4] * y + view[12]) / (width / height);
      const v = view[1] * x + view[5] * y + view[13];
      return [((u + 1) / 2) * width, ((1 - v) / 2) * height];
    }

    /** A ring around one row; null takes it away. */
    mark(row) {
      this.marked = row;
      this.drawLabels();
    }

    drawLabels() {
      const { clientWidth: width, clientHeight: height } = this.stage;
      const context = this.labels.getContext("2d");
      context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
      context.clearRect(0, 0, width, height);
      if (!this.message.hidden || !this.place || !this.look) return;
      if (state.labels && this.centers) this.drawNames(context, width, height);
      if (this.marked !== null) this.drawRing(context);
    }

    drawNames(context, width, height) {
      const { text, surface, visible } = this.look;
      const t = this.glide ? ease(Math.min(1, (performance.now() - this.glide.start) / this.glide.duration)) : 1;
      const taken = [];
      context.font = LABEL_FONT;
      Object.assign(context, { textAlign: "center", textBaseline: "middle", lineJoin: "round", lineWidth: 3.5 });
      Object.assign(context, { strokeStyle: surface, fillStyle: text });
      const bySize = [...this.centers].filter(([label]) => visible(label)).sort((a, b) => b[1].size - a[1].size);
      for (const [label, { at, spread }] of bySize) {
        const old = this.oldCenters?.get(label)?.at ?? at;
        const place = [old[0] + (at[0] - old[0]) * t, old[1] + (at[1] - old[1]) * t];
        const [x, middle] = this.screen(...place);
        // Over a small cluster, for it would hide it; in the midst of a wide one.
        const above = middle - this.screen(place[0], place[1] + spread)[1];
        if (x < 0 || x > width || middle < 0 || middle > height) continue;
        const name = shortened(data.manifest.classes[label] ?? String(label));
        const half = context.measureText(name).width / 2 + 3;
        const u = Math.min(Math.max(x, half), width - half);
        const v = Math.min(Math.max(above < SMALL_CLUSTER ? middle - 2 * above - 9 : middle, 9), height - 9);
        const free = taken.every(([a, b, h]) => Math.abs(u - a) > half + h || Math.abs(v - b) > 15);
        if (!free) continue; // a larger class has this place
        taken.push([u, v, half]);
        context.strokeText(name, u, v);
        context.fillText(name, u, v);
      }
    }

    drawRing(context) {
      const [x, y] = this.screen(this.place.x[this.marked], this.place.y[this.marked]);
      Object.assign(context, { strokeStyle: this.look.surface, lineWidth: 5 });
      context.beginPath();
      context.arc(x, y, 8, 0, 2 * Math.PI);
      context.stroke();
      Object.assign(context, { strokeStyle: this.look.text, lineWidth: 2 });
      context.stroke();
    }

    /** The whole map, as large as the card allows. */
    goHome() {
      this.atHome = true;
      const aspect = this.stage.clientWidth / this.stage.clientHeight || 1;
      const [width, height] = this.shares;
      this.plot.set({ cameraTarget: [0, 0], cameraDistance: Math.max(height, width / aspect) });
      this.plot.redraw();
    }

    fit() {
      this.labels.width = Math.round(this.stage.clientWidth * devicePixelRatio);
      this.labels.height = Math.round(this.stage.clientHeight * devicePixelRatio);
      this.events.resized();
      this.sizePoints();
      if (this.atHome) this.goHome();
      this.drawLabels();
    }

    destroy() {
      this.resized.disconnect();
      this.plot.destroy();
      this.root.remove();
    }
  }

  Object.assign(repviz, { LayerMap, STEP_MS });
})();
