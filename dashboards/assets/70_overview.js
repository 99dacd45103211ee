// The overview: numbers of the epoch, and the learning curves with the line of the epoch.
(() => {
  const { state, data, on, currentEpoch, element } = repviz;
  const MAX_BYTES = 16e6;
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
  const answers = new repviz.Kept(MAX_BYTES);
  const charts = {}; // by panel
  let wanted = "";

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
    for (const chart of Object.values(charts)) chart.placeLine();
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

  /** What draws the curves, below the address of the run. */
  const curvesOf = (theme, log) => `curves?${new URLSearchParams({ theme, ...(log ? { log: "1" } : {}) })}`;

  /** Draw the curves when metrics, theme or scale are others than those that were drawn. */
  async function drawCurves() {
    if (state.page !== "overview" || !data.manifest) return;
    const { run, metrics, baseline } = data.manifest;
    const url = repviz.address(run, curvesOf(state.theme, state.log));
    const key = [url, metrics.version, JSON.stringify(baseline)].join("#");
    if (key === wanted) return;
    wanted = key;
    try {
      const figures = await answers.get(key, url, repviz.json);
      if (key === wanted) for (const panel of Object.keys(READOUTS)) await charts[panel].show(figures[panel]);
    } catch (error) {
      if (key === wanted) for (const chart of Object.values(charts)) chart.say(error.message);
    }
  }

  function mountOverview() {
    for (const panel of Object.keys(READOUTS)) charts[panel] = new repviz.Chart(`curve-${panel}`, true);
  }

  on("state", (changed) => {
    refresh();
    if (["page", "theme", "log"].some((key) => changed.has(key))) drawCurves();
  });
  on("metrics", refresh);
  on("manifest", () => {
    drawCurves();
    refresh();
  });

  const curveColumns = (panel) => ["epoch", ...READOUTS[panel].map(([column]) => column)];

  repviz.offer({ mountOverview, curvesOf, curveColumns });
})();
