// The overview: numbers of the epoch, and the line of the epoch over curves that plotly drew.
(() => {
  const { state, data, on, goTo, currentEpoch, element } = repviz;
  const TILES = [
    { title: "Validation accuracy", column: "val_accuracy", better: "up", digits: 3 },
    { title: "Macro F1", column: "val_f1_macro", better: "up", digits: 3 },
    { title: "Conf.-weighted F1", column: "val_f1_confidence", better: "up", digits: 3 },
    { title: "Validation loss", column: "val_loss", better: "down", digits: 3 },
    { title: "Training loss", column: "train_loss", better: "down", digits: 3 },
    { title: "Excluded accuracy", column: "excl_accuracy", better: "up", digits: 3 },
  ];
  const READOUTS = {
    loss: [["train_loss", "train", 0], ["val_loss", "val", 1], ["excl_loss", "excluded", 2]],
    accuracy: [["train_accuracy", "train", 0], ["val_accuracy", "val", 1], ["excl_accuracy", "excluded", 2]],
    f1: [["val_f1_macro", "macro", 1], ["val_f1_confidence", "conf.-weighted", 2]],
    lr: [["lr", "", 0]],
    grad_norm: [["grad_norm", "", 0]],
  };
  let asked = "";

  const rowAt = (epoch) => data.rows.find((row) => row.epoch === epoch) ?? {};
  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

  function show(value, digits = 3) {
    if (!isNumber(value)) return "–";
    if (value === 0) return "0";
    const tiny = value !== 0 && Math.abs(value) < 10 ** -digits;
    return tiny ? value.toExponential(1) : value.toFixed(digits);
  }

  function refresh() {
    if (state.page !== "overview" || !data.config) return;
    drawTiles();
    for (const [panel, columns] of Object.entries(READOUTS)) drawReadout(panel, columns);
    for (const panel of Object.keys(READOUTS)) placeLine(panel);
  }

  function drawTiles() {
    const mount = document.getElementById("tiles");
    const row = rowAt(currentEpoch());
    mount?.replaceChildren(
      ...TILES.filter(({ column }) => data.rows.some((r) => column in r)).map((tile) => tileOf(tile, row)),
    );
  }

  function tileOf({ title, column, better, digits }, row) {
    const measured = data.rows.filter((r) => isNumber(r[column]) && r.epoch > 0);
    const best = measured.reduce((a, b) => {
      if (!a) return b;
      return better === "up" ? (b[column] > a[column] ? b : a) : b[column] < a[column] ? b : a;
    }, null);
    const note = best ? `best ${show(best[column], digits)} at epoch ${best.epoch}` : "of the untrained network";
    return element(
      "div",
      { class: "tile card", "data-column": column },
      element("span", { class: "tile-title" }, title),
      element("strong", {}, show(row[column], digits)),
      element("span", { class: "tile-note" }, note),
    );
  }

  /** The legend of a panel, with the values of the epoch. */
  function drawReadout(panel, columns) {
    const mount = document.querySelector(`.readout[data-panel="${panel}"]`);
    const row = rowAt(currentEpoch());
    const colors = repviz.look().splits;
    mount?.replaceChildren(
      ...columns
        .filter(([column]) => data.rows.some((r) => column in r))
        .map(([column, name, color]) => {
          const sign = element("span", { class: "line-sign", "aria-hidden": "true" });
          sign.style.background = colors[color];
          const value = element("span", { class: "readout-value" }, show(row[column]));
          return element("span", { class: "readout-item" }, name ? sign : null, name || null, value);
        }),
    );
  }

  // --- curves ---

  /** Ask the server for the curves when metrics, theme or scale are others than those that were drawn. */
  function askCurves() {
    if (state.page !== "overview" || !data.manifest) return;
    const request = { run: data.manifest.run, version: data.manifest.metrics.version, theme: state.theme, log: state.log, baseline: data.manifest.baseline };
    if (JSON.stringify(request) === asked) return;
    asked = JSON.stringify(request);
    repviz.mirror("curves-request", { data: request });
  }

  const graphOf = (panel) => document.querySelector(`#curve-${panel} .js-plotly-plot`);

  /** The line of the current epoch. An element over the plot: moving it costs nothing, a relayout of plotly 40 ms. */
  function placeLine(panel) {
    const graph = graphOf(panel);
    const axis = graph?._fullLayout?.xaxis;
    if (!axis?.range) return;
    const line = graph.querySelector(".epoch-line") ?? graph.appendChild(element("div", { class: "epoch-line" }));
    const epoch = currentEpoch();
    const size = graph._fullLayout._size;
    const inside = epoch !== null && epoch >= axis.range[0] && epoch <= axis.range[1];
    line.hidden = !inside;
    line.dataset.epoch = epoch;
    if (!inside) return;
    line.style.left = `${size.l + axis.d2p(epoch)}px`;
    line.style.top = `${size.t}px`;
    line.style.height = `${size.h}px`;
  }

  /** After Dash has given a graph a new figure: keep the line in place through zoom and resize, a click goes there. */
  function curveDrawn(panel) {
    requestAnimationFrame(() => {
      const graph = graphOf(panel);
      if (!graph?.on) return setTimeout(() => curveDrawn(panel), 100); // plotly.js is still being loaded
      if (!graph.dataset.repviz) {
        graph.dataset.repviz = "1";
        graph.on("plotly_afterplot", () => placeLine(panel));
        graph.on("plotly_click", ({ points }) => goTo(points[0].x));
      }
      placeLine(panel);
    });
  }

  on("state", (changed) => {
    refresh();
    if (["page", "theme", "log"].some((key) => changed.has(key))) askCurves();
    // A graph that was drawn while its page was hidden has no size yet.
    if (changed.has("page")) window.dispatchEvent(new Event("resize"));
  });
  on("metrics", refresh);
  on("manifest", () => {
    askCurves();
    refresh();
  });

  const curveColumns = (panel) => ["epoch", ...READOUTS[panel].map(([column]) => column)];

  repviz.offer({ curveDrawn, curveColumns });
})();
