// The open run and the pinned ones: their curves over each other, and what their configurations have not in common.
(() => {
  const { state, data, on, set, element } = repviz;
  let drawn = null;
  let card = null;

  const mount = () => document.getElementById("mount-compare");

  /** The open run first, then the pinned ones that there are. */
  function names() {
    const there = new Set(data.runs?.runs.map((run) => run.name));
    return [...new Set([state.run, ...(state.pinned ?? [])])].filter((name) => there.has(name));
  }

  async function draw() {
    if (state.page !== "compare" || !data.config || !data.runs) return;
    const runs = names();
    if (runs.length < 2) return drawNothing();
    const query = new URLSearchParams({ runs: runs.join(","), theme: state.theme, ...(state.log ? { log: "1" } : {}) });
    const progress = data.runs.runs.filter((run) => runs.includes(run.name)).map((run) => `${run.name}${run.epoch}${run.state}`);
    const wanted = `${query}#${progress}`;
    if (wanted === drawn) return card?.placeLine();
    drawn = wanted;
    try {
      const [figure, table] = await Promise.all([answer(`data/compare?${query}`), answer(`data/table?runs=${encodeURIComponent(runs.join(","))}`)]);
      if (wanted === drawn && state.page === "compare") await show(figure, table);
    } catch (error) {
      drawn = card = null;
      mount().replaceChildren(element("p", { role: "alert" }, error.message));
    }
  }

  async function answer(url) {
    const response = await fetch(url);
    if (!response.ok) throw await repviz.problem(response);
    return response.json();
  }

  function drawNothing() {
    drawn = card = null;
    const open = element("button", { type: "button", class: "button", onclick: () => set({ page: "runs" }) }, "All runs");
    mount().replaceChildren(element("div", { class: "empty" },
      element("h2", {}, "No other run is pinned"),
      element("p", {}, "Tick runs in the table of all runs: their curves and settings are then shown here beside those of the open one."),
      open));
  }

  async function show(figure, table) {
    if (!card) {
      card = new CurvesCard();
      mount().replaceChildren(card.tools, card.root, element("section", { class: "card log-card" }, element("header", {}, element("h3", {}, "What differs")), element("div", { class: "grid-frame" })));
    }
    card.tools.replaceChildren(
      repviz.segments("compare-scale", "loss", ["linear", "log"], state.log ? "log" : "linear", (value) => set({ log: value === "log" })),
      ...table.runs.slice(1).map(({ name }) => element("button", { type: "button", class: "chip", "aria-label": `no longer compare ${name}`, onclick: () => unpin(name) }, name, element("span", { "aria-hidden": "true" }, "×"))));
    mount().querySelector(".grid-frame").replaceChildren(differences(table));
    await card.show(figure);
  }

  function unpin(name) {
    const rest = (state.pinned ?? []).filter((other) => other !== name);
    set({ pinned: rest.length ? rest : null });
  }

  function differences({ runs, differing }) {
    const number = (value) => (typeof value === "number" ? value.toFixed(4) : "–");
    const rows = [
      ["state", ...runs.map((run) => run.state)],
      ["epochs", ...runs.map((run) => String(run.epoch ?? "–"))],
      ["best val accuracy", ...runs.map((run) => number(run.best.val_accuracy))],
      ["macro F1 there", ...runs.map((run) => number(run.best.val_f1_macro))],
      ["val loss there", ...runs.map((run) => number(run.best.val_loss))],
      ...differing.map((key) => [key, ...runs.map((run) => run.config[key] ?? "–")]),
    ];
    const made = repviz.grid(["", ...runs.map((run) => run.name)], rows);
    if (differing.length) return made;
    return element("div", {}, made, element("p", { class: "muted" }, "Their configurations are the same."));
  }

  class CurvesCard {
    constructor() {
      this.tools = element("div", { class: "toolbar" });
      this.title = element("h3");
      this.plot = element("div", { class: "view-plot", role: "img" });
      this.stage = element("div", { class: "view-stage compare-stage" }, this.plot);
      const save = (format) => element("button", { type: "button", class: "view-action", "aria-label": `save as ${format.toUpperCase()}`, onclick: () => this.save(format) }, format.toUpperCase());
      this.root = element("section", { class: "card view" },
        element("header", {}, element("div", { class: "view-heading" }, this.title), element("div", { class: "view-actions" }, save("png"), save("svg"))), this.stage);
      new ResizeObserver(() => this.resize()).observe(this.stage);
    }

    async show(answer) {
      this.answer = answer;
      this.title.textContent = answer.title;
      this.plot.setAttribute("aria-label", answer.title);
      const { traces, layout } = repviz.copied(answer.figure);
      Object.assign(layout, { width: this.plot.clientWidth, height: this.plot.clientHeight, autosize: false });
      const Plotly = await repviz.plotly();
      await Plotly.react(this.plot, traces, layout, { displaylogo: false, modeBarButtonsToRemove: ["toImage", "lasso2d", "select2d"] });
      if (!this.plot.dataset.listens) {
        this.plot.dataset.listens = "1";
        this.plot.on("plotly_afterplot", () => this.placeLine());
        this.plot.on("plotly_click", ({ points }) => repviz.goTo(points[0].x));
      }
      this.placeLine();
    }

    placeLine() {
      repviz.placeEpochLines(this.plot);
    }

    resize() {
      const { clientWidth: width, clientHeight: height } = this.plot;
      if (width && height && this.plot._fullLayout) window.Plotly.relayout(this.plot, { width, height });
    }

    async save(format) {
      const { figure, width, height } = repviz.alone(this.answer);
      repviz.save(await window.Plotly.toImage(figure, { format, width, height, scale: format === "png" ? 2 : 1 }), `compare.${format}`);
    }
  }

  on("state", draw);
  on("runs", draw);
  on("manifest", draw);
})();
