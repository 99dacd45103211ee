// Grids of maps that share one WebGL renderer: all layers on one page, one layer on the overview.
(() => {
  const { state, data, on, set, element } = repviz;
  const FADED = 0.07;
  const MOST_ON_A_CPU = 40000; // points in all maps together
  const GAP = 12; // the page's, between cards
  const FOOTER = 84 + 16;
  const LEAST_WIDTH = 240; // of a map's card
  const LEAST_HEIGHT = 270;
  let renderer = null;
  let canvas = null;
  const grids = [];

  /** The renderer of all maps; null where the browser has no WebGL. */
  function shared() {
    if (renderer || canvas) return renderer;
    canvas = element("canvas", { width: 64, height: 64 });
    try {
      renderer = reglScatterplot.createRenderer({ canvas });
    } catch (error) {
      console.warn(`no WebGL: ${error.message}`);
      return null;
    }
    canvas.addEventListener("webglcontextlost", () => {
      for (const grid of grids) grid.sayAll("The graphics context was lost. Reload the page to draw the maps again.");
    });
    return renderer;
  }

  /** Whether WebGL is drawn by the processor. */
  function software() {
    const gl = renderer.regl._gl;
    const known = gl.getExtension("WEBGL_debug_renderer_info");
    return known !== null && /swiftshader|llvmpipe|software/i.test(gl.getParameter(known.UNMASKED_RENDERER_WEBGL));
  }

  /** The shared canvas must hold the largest map, and no more: each drawing clears and copies all of it. */
  function fitRenderer() {
    const stages = grids.flatMap((grid) => grid.maps.map((map) => map.stage));
    const width = Math.max(64, ...stages.map((stage) => stage.clientWidth));
    const height = Math.max(64, ...stages.map((stage) => stage.clientHeight));
    const fits = canvas.width === width * devicePixelRatio && canvas.height === height * devicePixelRatio;
    if (!renderer || fits) return;
    renderer.resize(width, height);
    renderer.refresh();
    for (const grid of grids) for (const map of grid.maps) map.plot.redraw();
  }

  class Grid {
    /** `mount`: element that gets the maps; `page`: where it is; `layers(all)`: which of a frame's layers it shows. */
    constructor(mount, page, layers = (all) => all) {
      Object.assign(this, { mount, page, layers, maps: [], version: 0 });
      this.notice = element("div", { class: "maps-notice", hidden: true });
      mount.before(this.notice);
      grids.push(this);
      new ResizeObserver(() => this.fitColumns()).observe(mount);
    }

    /** As many columns as make the maps largest: the room is the window's, below where the grid begins. */
    fitColumns() {
      const shown = this.mount.classList.contains("alone") ? 1 : this.maps.length;
      const width = this.mount.clientWidth;
      if (!shown || !width) return;
      const height = this.room();
      this.mount.parentElement.style.setProperty("--room", `${Math.floor(height)}px`);
      const most = Math.max(1, Math.floor((width + GAP) / (LEAST_WIDTH + GAP)));
      let best = { columns: 1, side: 0, rows: 1 };
      for (let columns = 1; columns <= Math.min(most, shown); columns++) {
        const rows = Math.ceil(shown / columns);
        const side = Math.min((width + GAP) / columns, Math.max((height + GAP) / rows, LEAST_HEIGHT));
        // When the rows do not fit, more columns mean less to scroll.
        if (side > best.side || rows * LEAST_HEIGHT > height) best = { columns, side, rows };
      }
      const row = Math.max(LEAST_HEIGHT, (height - (best.rows - 1) * GAP) / best.rows);
      this.mount.style.setProperty("--columns", best.columns);
      this.mount.style.setProperty("--row", `${Math.floor(row)}px`);
    }

    /** Pixels of height that the maps may have together. */
    room() {
      return Math.max(LEAST_HEIGHT + 2 * GAP, innerHeight - this.mount.getBoundingClientRect().top - scrollY - FOOTER);
    }

    get active() {
      return state.page === this.page && data.manifest !== null;
    }

    /**
     * What is to be drawn at an epoch of the run, a map each: a `key` that names the map, its `layer`, the `names` of
     * that layer where it is the map's title, the `frame` and the `box` of the layer's plane that is shown; or the
     * `problem` that is told instead.
     */
    async scenes(epoch) {
      const frame = await repviz.frame(epoch);
      const outputs = new Map(repviz.outputs(frame).map((names) => [names.at(-1), names]));
      return this.layers([...outputs.keys()]).map((layer) => ({ key: layer, layer, names: outputs.get(layer), frame, box: boxOf(data.manifest, frame, layer) }));
    }

    coloringAt(epoch) {
      return repviz.coloringAt(epoch);
    }

    prefetch(epoch) {
      repviz.prefetch(epoch);
    }

    drawOverlays([{ frame }]) {
      repviz.drawOverlays(this, frame);
    }

    /** Make the maps that the scenes ask for; if they are there already they stay, with their zoom. */
    arrange(scenes) {
      const wanted = scenes.map(({ key }) => key);
      const alone = scenes.find(({ key, names }) => (names ?? [key]).includes(state.layer))?.key ?? null;
      this.mount.classList.toggle("alone", alone !== null && wanted.length > 1);
      for (const map of this.maps) map.root.classList.toggle("chosen", map.key === alone);
      this.fitColumns();
      if (wanted.join() === this.maps.map((map) => map.key).join()) return;
      for (const map of this.maps) map.destroy();
      this.maps = [];
      if (!shared()) return;
      this.maps = wanted.map((key) => new repviz.LayerMap(key, renderer, this.events()));
      for (const map of this.maps) map.root.classList.toggle("chosen", map.key === alone);
      this.mount.append(...this.maps.map((map) => map.root));
      this.fitColumns();
      this.style();
    }

    events() {
      return {
        over: (row, map) => repviz.showSample(row, map),
        out: () => repviz.hideSample(),
        clicked: (row) => set({ point: row === state.point ? null : row }),
        lassoed: (rows, how) => repviz.select(rows, how),
        focus: (names) => set({ page: "representations", layer: names.includes(state.layer) ? null : names.at(-1) }),
        resized: () => fitRenderer(),
      };
    }

    clear() {
      for (const map of this.maps) map.destroy();
      this.maps = [];
      this.coloring = null;
    }

    /** Load the epoch's frame and draw it in every map. */
    async draw(duration = repviz.STEP_MS) {
      if (!this.active) return;
      const epochs = data.manifest.artifacts.projection?.epochs ?? [];
      const epoch = repviz.nearest(epochs, repviz.currentEpoch());
      if (epoch === null) {
        this.notice.replaceChildren(...(repviz.whyNoMaps() ?? []));
        this.notice.hidden = false;
        return;
      }
      if (!data.sample) return;
      const version = ++this.version;
      try {
        const [scenes, coloring] = await Promise.all([this.scenes(epoch), this.coloringAt(repviz.currentEpoch())]);
        if (version !== this.version) return; // something newer is wanted by now
        const others = this.coloring !== coloring;
        this.coloring = coloring;
        this.arrange(scenes);
        if (others) this.style();
        await this.drawScenes(scenes, this.glides() ? duration : 0);
      } catch (error) {
        if (version === this.version) this.sayAll(`epoch ${epoch}: ${error.message}`);
      }
      this.prefetch(epoch);
    }

    /** Whether points move to their new places: not where someone wants calm, nor where each frame takes too long. */
    glides() {
      return !repviz.calm() && !(software() && !repviz.playing() && data.sample.n * this.maps.length > MOST_ON_A_CPU);
    }

    async drawScenes(scenes, duration) {
      this.notice.hidden = true;
      const other = scenes.find(({ frame }) => frame && frame.n !== data.sample.n);
      if (other) {
        return this.sayAll(`the map has ${other.frame.n} points, but sample.h5 has ${data.sample.n}: they do not belong together`);
      }
      repviz.showColoring(this.coloring);
      const { indices } = this.coloring;
      const drawn = this.maps.map((map, at) => (scenes[at].problem ? map.say(scenes[at].problem) : map.show({ ...scenes[at], indices, duration })));
      this.drawOverlays(scenes);
      await Promise.all(drawn);
    }

    /** A message in every map; above them while there are none yet. */
    sayAll(text) {
      for (const map of this.maps) map.say(text);
      this.notice.textContent = text;
      this.notice.hidden = this.maps.length > 0;
    }

    /** Colours by theme, faded classes, filtered and selected rows. */
    style() {
      if (!data.manifest || !data.sample || !this.coloring) return;
      const look = repviz.look();
      const previewed = repviz.previewed ?? null;
      const opacity = data.sample.n > 20000 ? 0.6 : 0.9;
      const colors = this.coloring.palette(look);
      const fades = previewed !== null && this.coloring.byLabel;
      const style = {
        colors,
        opacities: colors.map((_, k) => (!fades || (k < colors.length - 1 ? k : -1) === previewed ? opacity : FADED)),
        text: look.text,
        surface: look.surface,
        accent: look.accent,
        visible: (label) => previewed === null ? !state.classes || state.classes.includes(label) : label === previewed,
        rows: repviz.shownRows(),
        selected: repviz.shownSelection(),
      };
      for (const map of this.maps) {
        map.coloring = this.coloring;
        map.style(style);
        map.filter();
      }
    }

    /** Other rows are selected, and nothing else is different: a million points are not coloured again for it. */
    restress() {
      if (!data.manifest || !data.sample) return;
      const selected = repviz.shownSelection();
      for (const map of this.maps) {
        if (!map.look) continue;
        map.look = { ...map.look, selected };
        map.filter();
        map.drawOverlay();
      }
    }
  }

  /** What part of a layer's plane is shown: that of all epochs of the run, or the frame's own. */
  function boxOf(manifest, frame, layer) {
    const locked = state.axes === "locked" ? manifest.extents[repviz.method()]?.[layer] : null;
    return locked ?? frame.extents[frame.layers.indexOf(layer)];
  }

  /** The layer that is shown where there is room for one: the chosen one, else the last one before the logits. */
  function oneLayer(layers) {
    if (layers.includes(state.layer)) return state.layer;
    return layers.includes("penultimate") ? "penultimate" : layers.at(-1);
  }

  const markAll = (row) => grids.forEach((grid) => grid.maps.forEach((map) => map.mark(row)));
  const drawAll = (duration) => Promise.all(grids.map((grid) => grid.draw(duration)));
  const styleAll = () => grids.forEach((grid) => grid.style());

  on("state", (changed) => {
    if (["theme", "classes", "splits", "labels", "tool"].some((key) => changed.has(key))) styleAll();
    else if (changed.has("selection")) grids.forEach((grid) => grid.restress());
    if (changed.has("page")) drawAll(0);
    else if (changed.has("color")) drawAll(0);
    else if (["method", "axes", "layer"].some((key) => changed.has(key))) drawAll(400);
    else if (changed.has("epoch") || changed.has("follow")) drawAll(repviz.playing() ? repviz.stepMs() * 0.85 : undefined);
  });
  on("sample", styleAll);
  on("manifest", ({ isNew }) => {
    if (isNew) grids.forEach((grid) => grid.clear());
    // What is shown is drawn again: values for its colours may have come.
    drawAll(isNew ? 0 : undefined);
  });

  repviz.offer({ Grid, grids, boxOf, oneLayer, markAll, styleMaps: styleAll, hasWebGL: () => shared() !== null });
})();
