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
    /**
     * `key`: its name among the maps of its page, that of its layer or of its run, and its title until a scene has
     * `names`; `renderer`: shared by all maps, for browsers give few WebGL contexts; `events`: callbacks.
     */
    constructor(key, renderer, events) {
      this.key = key;
      this.layer = key;
      this.events = events;
      this.present = null; // which points the map has; null = all
      this.narrowed = new Map(); // of what is asked for, the rows that are present
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
      this.name = element("h3", {});
      this.epoch = element("span", { class: "map-epoch" });
      const focus = () => this.events.focus(this.names);
      this.expand = element("button", { class: "map-button", type: "button", onclick: focus });
      this.expand.append(element("span", { class: "icon icon-expand", "aria-hidden": "true" }));
      this.home = element("button", { class: "map-button", type: "button", onclick: () => this.goHome() });
      this.home.append(element("span", { class: "icon icon-home", "aria-hidden": "true" }));
      this.menu = repviz.mapMenu(this);
      this.stage = element("div", { class: "map-stage" }, this.under, this.points, this.labels, this.message);
      this.root = element(
        "figure",
        { class: "card map", "data-layer": this.key },
        element(
          "figcaption",
          this.events.focus ? { ondblclick: focus } : {},
          element("div", { class: "map-title" }, this.name, this.epoch, this.menu, this.home, this.events.focus ? this.expand : null),
          this.trust,
        ),
        this.stage,
      );
      this.call([this.key]);
    }

    /** `names` of what is drawn: the first is the title, and in what its buttons say. */
    call(names) {
      this.names = names;
      this.name.textContent = names[0];
      this.expand.setAttribute("aria-label", `show ${names[0]} alone, or all layers again`);
      this.home.setAttribute("aria-label", `whole map of ${names[0]}`);
      repviz.nameMenu(this.menu, names[0]);
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

    /**
     * Show a scene (see `Grid.scenes`): with `indices`, which of the style's colours each point has, and `duration`, how
     * long points move; `turn`: how its plane is turned. What comes while one is being drawn is left out but for the newest.
     */
    async show(scene) {
      this.next = scene;
      this.box = scene.box;
      if (this.busy) return;
      this.busy = true;
      try {
        while (this.next) {
          const scene = this.next;
          this.next = null;
          await this.draw(scene);
        }
      } finally {
        this.busy = false;
      }
    }

    async draw({ layer, names = [this.key], frame, box, indices, duration, run = data.manifest.run, turn = null }) {
      this.layer = layer;
      this.call(names);
      this.describe(frame);
      if (repviz.isBlank(frame, layer)) return this.say(`${names[0]} has no such map`);
      this.say(null);
      const placed = repviz.place(frame, layer, box);
      const place = turn ? repviz.turned(placed, turn) : placed;
      this.takePresence(repviz.presence(frame, layer));
      this.shares = state.axes === "locked" ? repviz.shares(box) : [1, 1];
      if (turn?.exchanges) this.shares.reverse();
      if (this.atHome) this.goHome();
      const glides = duration > 0 && this.place !== null && this.place.x.length === frame.n;
      this.oldCenters = glides ? this.centers : null;
      this.centers = this.medians(place);
      this.place = place;
      this.indices = indices;
      this.shown = { run, layer, frame };
      this.glide = glides ? { start: performance.now(), duration } : null;
      const points = { x: place.x, y: place.y, valueA: indices, valueB: data.sample.splits };
      const options = { zDataType: "categorical", wDataType: "categorical", preventFilterReset: true };
      if (glides) Object.assign(options, { transition: true, transitionDuration: duration, transitionEasing: "cubicInOut" });
      await this.plot.draw(points, options);
      this.glide = null;
      if (this.look) await this.filter();
      this.root.dataset.epoch = frame.epoch;
      this.drawOverlay();
    }

    /** Which points there are; the rows that follow from it are made anew only when they are others. */
    takePresence(present) {
      const same = present === this.present || (present && this.present && present.every((is, row) => is === this.present[row]));
      if (same) return;
      this.present = present;
      this.narrowed.clear();
    }

    /** Whether the map has a point of this row. */
    has(row) {
      return row < this.place.x.length && (this.present === null || this.present[row] === 1);
    }

    /** Those of the rows that the map has; null = all of the sample. The same array as long as both are the same. */
    among(rows) {
      if (this.present === null) return rows;
      if (!this.narrowed.has(rows)) {
        if (this.narrowed.size > 8 + data.sample.members.size) this.narrowed.clear();
        this.narrowed.set(rows, (rows ?? Array.from(this.present.keys())).filter((row) => this.present[row]));
      }
      return this.narrowed.get(rows);
    }

    describe(frame) {
      const at = frame.layers.indexOf(this.layer);
      const share = frame.explained?.[at]?.filter((v) => v !== null) ?? [];
      const trust = frame.trustworthiness?.[at];
      const chance = frame.trustworthiness_chance?.[at];
      const parts = this.names.slice(1).map((name) => `= ${name}`);
      if (trust != null) parts.push(`trust ${trust.toFixed(2)}`);
      if (chance != null) parts.push(`chance ${chance.toFixed(2)}`);
      if (frame.common < frame.n) parts.push(`${frame.common.toLocaleString("en")} of ${frame.n.toLocaleString("en")} points`);
      if (share.length) parts.push(`${Math.round(100 * share.reduce((a, b) => a + b))} % of variance`);
      this.trust.textContent = parts.join(" · ");
      const method = data.config.methods.find(([name]) => name === frame.method)?.[1] ?? frame.method;
      this.epoch.textContent = `${method} · epoch ${frame.epoch}`;
      this.points.setAttribute("aria-label", `${this.names[0]}, ${frame.method}, epoch ${frame.epoch}: ${parts.join(", ")}`);
    }

    /** Draw only the rows that the style asks for. The selected ones of them stand out. */
    async filter() {
      if (this.place === null) return;
      const rows = this.among(this.look.rows);
      if (this.filtered !== rows) {
        this.filtered = rows;
        if (rows) await this.plot.filter(rows, { preventEvent: true });
        else await this.plot.unfilter({ preventEvent: true });
      } else if (this.stressed === this.selected) return;
      this.stress();
    }

    /** The selected rows that the map has; null = nothing is selected. */
    get selected() {
      return this.look.selected && this.among(this.look.selected);
    }

    stress() {
      this.stressed = this.selected;
      // The plot keeps the array and changes it, hence a copy.
      this.plot.select([...(this.stressed ?? [])], { preventEvent: true });
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
      for (const [label, all] of data.sample.members) {
        const rows = this.among(all);
        if (!rows.length) continue;
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

  repviz.offer({ LayerMap, STEP_MS, FADED_BY_SELECTION });
})();
