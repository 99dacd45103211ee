// The open run and the pinned ones: curves over each other, the same points side by side, how alike their layers are, and
// what their configurations have not in common.
(() => {
  const { state, data, on, set, element } = repviz;
  const KEPT_BY = ["activations", "similarity"]; // kinds that keep activations
  const TOOLS = [["move", "move"], ["lasso", "lasso"], ["box", "box"]];
  const answers = new repviz.Kept(16e6);
  let parts = null; // what is on the page, made when there is first something to compare

  const mount = () => document.getElementById("mount-compare");

  function draw() {
    if (state.page !== "compare" || !data.config || !data.runs) return;
    const runs = repviz.compared();
    parts ??= build();
    parts.nothing.hidden = runs.length > 1;
    parts.something.hidden = runs.length < 2;
    parts.something.classList.toggle("in-two", runs.length === 2);
    if (runs.length < 2) return;
    drawTools(runs);
    drawCurves(runs);
    drawLikeness(runs);
    drawDifferences(runs);
  }

  function nothing() {
    const open = element("button", { type: "button", class: "button", onclick: () => set({ page: "runs" }) }, "All runs");
    return element("div", { class: "empty" },
      element("h2", {}, "No other run is pinned"),
      element("p", {}, "Tick runs in the table of all runs: their curves, maps, layers and settings are then shown here beside those of the open one."),
      open);
  }

  function build() {
    const made = {
      nothing: nothing(),
      something: element("div", { class: "compared" }),
      tools: element("div", { class: "toolbar" }),
      curves: new FigureCard("curves", true),
      mapTools: element("div", { class: "toolbar" }),
      maps: element("div", { class: "maps" }),
      likeness: new FigureCard("likeness", false),
      differences: element("div", { class: "grid-frame" }),
    };
    const differences = element("section", { class: "card log-card" }, element("header", {}, element("h3", {}, "What differs")), made.differences);
    const maps = element("section", { class: "same-points", "aria-label": "the same points in each run" }, made.mapTools, made.maps);
    made.something.append(made.tools, made.curves.root, maps, made.likeness.root, differences);
    mount().replaceChildren(made.nothing, made.something);
    new repviz.SamePoints(made.maps).draw(0);
    return made;
  }

  // --- choices ---

  function drawTools(runs) {
    once(parts.tools, [runs, state.log], () => [
      repviz.segments("compare-scale", "loss", ["linear", "log"], state.log ? "log" : "linear", (value) => set({ log: value === "log" })),
      ...runs.slice(1).map((name) => element("button", { type: "button", class: "button", "aria-label": `no longer compare ${name}`, onclick: () => unpin(name) }, name, element("span", { "aria-hidden": "true" }, "×"))),
    ]);
    const layers = Object.keys(data.manifest?.extents[repviz.method()] ?? {});
    const methods = Object.keys(data.manifest?.extents ?? {});
    once(parts.mapTools, [layers, methods, state.layer, repviz.method(), state.tool, runs[0]], () => [
      element("h3", {}, "The same points"),
      layers.length ? repviz.dropdown("compare-layer", "layer", layers.map((name) => [name, name]), repviz.oneLayer(layers), (layer) => set({ layer })) : null,
      methods.length ? repviz.segments("compare-method", "projection", methods, repviz.method(), (method) => set({ method })) : null,
      repviz.segments("compare-tool", "mouse", TOOLS.map(([name]) => name), state.tool, (tool) => set({ tool })),
      element("span", { class: "view-note" }, `those of ${runs[0]}, found in the others by id, with its labels and splits; the maps are turned to lie alike`),
    ].filter(Boolean));
  }

  /** Fill an element anew only when what it follows from is another: what has the focus keeps it. */
  function once(target, of, content) {
    const key = JSON.stringify(of);
    if (target.dataset.of === key) return;
    target.dataset.of = key;
    const focused = target.contains(document.activeElement) ? document.activeElement.dataset.control : null;
    target.replaceChildren(...content());
    if (focused) target.querySelector(`[data-control="${CSS.escape(focused)}"]`)?.focus();
  }

  function unpin(name) {
    const rest = (state.pinned ?? []).filter((other) => other !== name);
    set({ pinned: rest.length ? rest : null });
  }

  // --- curves, layers, differences ---

  /** How far each run has come: what is drawn of them is another when it is. */
  const progress = (runs) => data.runs.runs.filter(({ name }) => runs.includes(name)).map(({ name, epoch, state: now }) => `${name} ${epoch} ${now}`);

  function drawCurves(runs) {
    const query = new URLSearchParams({ runs: runs.join(","), theme: state.theme, ...(state.log ? { log: "1" } : {}) });
    parts.curves.show(`data/compare?${query}`, progress(runs).join());
  }

  function drawLikeness(runs) {
    const epoch = repviz.currentEpoch();
    if (epoch === null) return;
    const query = new URLSearchParams({ runs: runs.join(","), theme: state.theme });
    const kept = runs.map((run) => KEPT_BY.map((kind) => repviz.pinned(run).manifest?.artifacts[kind]?.versions));
    parts.likeness.show(`data/compare/similarity/${epoch}?${query}`, JSON.stringify(kept), whyNoLikeness);
  }

  /** What is missing for layers to be compared, and what makes it; nothing where it is all there. */
  function whyNoLikeness({ lacking, problems }) {
    const made = problems.map((text) => element("p", {}, text));
    if (!lacking.length) return made;
    return [
      ...made,
      element("p", {}, `CKA needs activations of the same points in both runs. ${lacking.join(", ")} ${lacking.length > 1 ? "have" : "has"} kept none. This computes them from the run's checkpoints:`),
      ...lacking.map((run) => repviz.diagnose("similarity", run)),
      element("p", {}, "And this keeps them in the next run:"),
      repviz.switchOn("similarity"),
    ];
  }

  async function drawDifferences(runs) {
    const url = `data/table?runs=${encodeURIComponent(runs.join(","))}`;
    const { differences } = parts;
    try {
      const table = await answers.get(`${url}#${progress(runs)}`, url, repviz.json);
      once(differences, table, () => [tableOf(table)]);
    } catch (error) {
      differences.replaceChildren(element("p", { role: "alert" }, error.message));
    }
  }

  function tableOf({ runs, differing }) {
    const number = (value) => (typeof value === "number" ? value.toFixed(4) : "–");
    const rows = [
      ["state", ...runs.map((run) => run.state)],
      ["epochs", ...runs.map((run) => String(run.epoch ?? "–"))],
      ["best val accuracy", ...runs.map((run) => number(run.best.val_accuracy))],
      ["macro F1 there", ...runs.map((run) => number(run.best.val_f1_macro))],
      ["val loss there", ...runs.map((run) => number(run.best.val_loss))],
      ...differing.map((key) => [key, ...runs.map((run) => run.config[key] ?? "–")]),
    ];
    const made = repviz.grid(["run", ...runs.map((run) => run.name)], rows);
    if (differing.length) return made;
    return element("div", {}, made, element("p", { class: "muted" }, "Their configurations are the same."));
  }

  /** A figure of several runs: it is drawn again when its address or what lies there is another. */
  class FigureCard {
    constructor(name, isOverEpochs) {
      Object.assign(this, { name, isOverEpochs, drawn: null, wanted: null, busy: false });
      this.title = element("h3");
      this.note = element("span", { class: "view-note" });
      this.plot = element("div", { class: "view-plot", role: "figure" });
      this.message = element("div", { class: "view-message", hidden: true, role: "status" });
      this.stage = element("div", { class: `view-stage compare-${name}` }, this.plot);
      const heading = element("div", { class: "view-heading" }, this.title, this.note);
      this.root = element("section", { class: `card view ${name}` });
      this.actions = repviz.figureActions(this.root, (format) => this.saveImage(format), () => this.saveNumbers());
      this.root.append(element("header", {}, heading, this.actions), this.stage, this.message);
      new ResizeObserver(() => repviz.refit(this.plot)).observe(this.stage);
    }

    /** `version`: changes with what lies at `url`; `why(answer)`: elements that tell what is missing in it. */
    async show(url, version, why = () => []) {
      this.wanted = { url, key: `${url}#${version}`, why };
      if (this.busy) return; // only the newest wish counts
      this.busy = true;
      while (this.wanted.key !== this.drawn) await this.drawOnce(this.wanted);
      this.busy = false;
      this.placeLine();
    }

    async drawOnce({ url, key, why }) {
      try {
        const answer = await answers.get(key, url, repviz.json);
        this.say(why(answer));
        this.title.textContent = answer.title;
        this.note.textContent = answer.subtitle ?? "";
        this.stage.hidden = this.actions.hidden = answer.figure === null;
        this.answer = answer;
        if (answer.figure) await this.plotOf(answer);
      } catch (error) {
        this.stage.hidden = this.actions.hidden = true;
        this.say([element("p", { role: "alert" }, error.message)]);
      }
      this.drawn = key;
    }

    say(content) {
      this.message.hidden = !content.length;
      this.message.replaceChildren(...content);
    }

    async plotOf(answer) {
      this.plot.setAttribute("aria-label", answer.title);
      if (!this.isOverEpochs) this.stage.style.height = `${answer.height}px`;
      await repviz.plotSized(this.plot, answer.figure);
      if (this.plot.dataset.listens || !this.isOverEpochs) return;
      this.plot.dataset.listens = "1";
      this.plot.on("plotly_afterplot", () => this.placeLine());
      this.plot.on("plotly_click", ({ points }) => repviz.goTo(points[0].x));
    }

    placeLine() {
      if (this.isOverEpochs) repviz.placeEpochLines(this.plot);
    }

    async saveImage(format) {
      const { figure, ...size } = repviz.alone(this.answer);
      await repviz.saveFigure(figure, size, `compare_${this.name}`, format);
    }

    saveNumbers() {
      repviz.save(`${this.wanted.url.replace("data/compare", "data/compare/numbers")}`, "");
    }
  }

  on("state", draw);
  on("runs", draw);
  on("manifest", draw);
  on("pinned", draw);
})();
