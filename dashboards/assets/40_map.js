// One map: the points of one layer on a canvas, trustworthiness and epoch in its title. What lies over and under the
// points is in 41_overlay.js, how the mouse selects in 42_lasso.js.
(() => {
  const { state, data, element } = repviz;
  const STEP_MS = 220; // how long points take to their new places after a step
  const ROOM_AT_SCALE_1 = 30; // square pixels per point
  const FADED_BY_SELECTION = 0.12; // opacity of the points that are not selected

  const ease = (t) => (t < 0.5 ? 4 * t * t * t : 1 - (-2 * t + 2) ** 3 / 2);

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
      this.hovered = null; // the row under the mouse
      this.marked = null; // the row that has a thin ring on every map, because the mouse is over it on one
      this.box = null; // what part of the layer's plane is the map
      this.overlay = {}; // what 47_overlays.js has put around the points
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
        pointSizeSelected: 1.5,
        pointOutlineWidth: 0,
        opacityInactiveMax: FADED_BY_SELECTION,
        deselectOnDblClick: false,
        deselectOnEscape: false,
        lassoOnLongPress: false,
        lassoInitiator: false,
        actionKeyMap: { lasso: "shift" },
      });
      this.plot.subscribe("pointover", (row) => this.events.over((this.hovered = row), this));
      this.plot.subscribe("pointout", () => this.events.out((this.hovered = null)));
      this.plot.subscribe("drawing", () => this.drawOverlay());
      repviz.catchSelections(this);
      // Until someone pans or zooms, the whole map stays in sight whatever shape its card takes.
      this.atHome = true;
      this.points.addEventListener("wheel", () => (this.atHome = false), { passive: true });
      this.points.addEventListener("mousemove", ({ buttons, shiftKey }) => {
        if (buttons === 1 && state.tool === "move" && !shiftKey) this.atHome = false;
      });
      this.resized = new ResizeObserver(() => this.fit());
      this.resized.observe(this.stage);
    }

    build() {
      this.under = element("canvas", { class: "under" });
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
      this.stage = element("div", { class: "map-stage" }, this.under, this.points, this.labels, this.message);
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
      this.plot.set({ pointColor: style.colors, opacity: style.opacities, backgroundColor: style.surface });
      this.plot.set({ lassoColor: style.accent });
      this.useTool();
      this.sizePoints();
      this.drawOverlay();
    }

    /** What the mouse does: move the map, or draw a lasso or a box around points. */
    useTool() {
      const lassoType = state.tool === "box" ? "rectangle" : "freeform";
      this.plot.set({ lassoType, mouseMode: state.tool === "move" ? "panZoom" : "lasso" });
      this.stage.classList.toggle("selecting", state.tool !== "move");
    }

    /** The fewer points on the larger card, the larger they are. */
    sizePoints() {
      if (!this.look || !data.sample) return;
      const room = (this.stage.clientWidth * this.stage.clientHeight) / data.sample.n;
      const scale = Math.min(1.7, Math.max(0.55, (room / ROOM_AT_SCALE_1) ** 0.3));
      this.plot.set({ pointSize: data.config.split_sizes.map((size) => size * scale) });
    }

    /** Show a frame; calls that come while one is being drawn are left out but for the newest. */
    async show(frame, box, indices, duration) {
      this.next = { frame, box, indices, duration };
      this.box = box;
      if (this.busy) return;
      this.busy = true;
      try {
        while (this.next) {
          const { frame, box, indices, duration } = this.next;
          this.next = null;
          await this.draw(frame, box, indices, duration);
        }
      } finally {
        this.busy = false;
      }
    }

    /** `indices`: which of the style's colours each point has. */
    async draw(frame, box, indices, duration) {
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
      const points = { x: place.x, y: place.y, valueA: indices, valueB: data.sample.splits };
      const options = { zDataType: "categorical", wDataType: "categorical", preventFilterReset: true };
      if (glides) Object.assign(options, { transition: true, transitionDuration: duration, transitionEasing: "cubicInOut" });
      await this.plot.draw(points, options);
      this.glide = null;
      if (this.look) await this.filter(this.look.rows);
      this.root.dataset.epoch = frame.epoch;
      this.drawOverlay();
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

    /** Draw only these rows; null = all. The selected ones of them stand out. */
    async filter(rows) {
      if (this.place === null) return;
      if (this.filtered !== rows) {
        this.filtered = rows;
        if (rows) await this.plot.filter(rows, { preventEvent: true });
        else await this.plot.unfilter({ preventEvent: true });
      } else if (this.stressed === this.look.selected) return;
      this.stress();
    }

    stress() {
      this.stressed = this.look.selected;
      // The plot keeps the array and changes it, hence a copy.
      this.plot.select([...(this.look.selected ?? [])], { preventEvent: true });
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

    /** A thin ring around one row; null takes it away. */
    mark(row) {
      this.marked = row;
      this.drawOverlay();
    }

    /** How far points are on their way from the last frame to this one, 0 to 1. */
    progress() {
      return this.glide ? ease(Math.min(1, (performance.now() - this.glide.start) / this.glide.duration)) : 1;
    }

    drawOverlay() {
      repviz.drawOver(this);
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
      for (const canvas of [this.under, this.labels]) {
        canvas.width = Math.round(this.stage.clientWidth * devicePixelRatio);
        canvas.height = Math.round(this.stage.clientHeight * devicePixelRatio);
      }
      this.events.resized();
      this.sizePoints();
      if (this.atHome) this.goHome();
      this.drawOverlay();
    }

    destroy() {
      this.resized.disconnect();
      this.plot.destroy();
      this.root.remove();
    }
  }

  repviz.offer({ LayerMap, STEP_MS });
})();
