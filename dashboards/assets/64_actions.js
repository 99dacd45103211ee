// What every figure offers: to be saved as PNG, as SVG and as numbers, and to fill the screen.
(() => {
  const { data, element } = repviz;
  const ALONE = { width: 1000, height: 560 }; // of a figure that names no size
  const TITLE_ROOM = 64;

  function action(text, label, act, icon) {
    return element("button", { type: "button", class: "view-action", title: label, "aria-label": label, onclick: act },
      icon ? element("span", { class: `icon icon-${icon}`, "aria-hidden": "true" }) : text);
  }

  /** The buttons of a card; `saveImage(format)`, `saveNumbers()`, `more`: buttons of its own. */
  function actions(root, saveImage, saveNumbers, more = []) {
    return element("div", { class: "view-actions" },
      action("PNG", "save as PNG", () => saveImage("png")),
      action("SVG", "save as SVG", () => saveImage("svg")),
      action("CSV", "save the numbers as CSV", saveNumbers),
      ...more,
      action("", "full screen", () => (document.fullscreenElement === root ? document.exitFullscreen() : root.requestFullscreen()), "expand"));
  }

  /** Save a figure as a picture; `size` has width and height. */
  async function saveFigure(figure, size, name, format) {
    const Plotly = await repviz.plotly(figure.data);
    const image = await Plotly.toImage(figure, { format, width: size.width, height: size.height, scale: format === "png" ? 2 : 1 });
    repviz.save(image, `${name}.${format}`);
  }

  // --- graphs that Dash draws ---

  /** Actions for a card whose graph Dash draws: the card has what the graph lacks, a title and perhaps a legend. */
  function mountGraphActions() {
    for (const card of document.querySelectorAll(".card[data-graph]")) {
      const header = card.querySelector("header");
      header.querySelector("h3").after(actions(card, (format) => saveGraph(card, format), () => saveNumbersOf(card)));
    }
  }

  const nameOf = (card) => {
    const { graph, variables } = card.dataset;
    const at = variables ? `_epoch_${predictionEpoch()}` : "";
    return `${data.manifest.run}_${graph}${at}`;
  };
  const predictionEpoch = () => repviz.nearest(data.manifest.artifacts.prediction?.epochs ?? [], repviz.currentEpoch());

  async function saveGraph(card, format) {
    const graph = card.querySelector(".js-plotly-plot");
    if (!graph?.data?.length || !data.manifest) return;
    const { traces, layout } = repviz.copied({ data: graph.data, layout: graph.layout });
    const text = card.querySelector("h3").textContent;
    const legend = traces.some(({ name }) => name) && traces.length > 1 && !card.dataset.variables;
    Object.assign(layout, ALONE, { title: { ...layout.title, text }, autosize: false, showlegend: legend });
    layout.margin = { ...layout.margin, t: TITLE_ROOM };
    await saveFigure({ data: traces, layout }, ALONE, nameOf(card), format);
  }

  /** What a graph is drawn from: variables of the prediction, or columns of the metrics. */
  function saveNumbersOf(card) {
    if (!data.manifest) return;
    const { graph, variables } = card.dataset;
    if (variables) return repviz.save(repviz.address(data.manifest.run, `numbers/prediction/${predictionEpoch()}?only=${variables}`), "");
    const columns = repviz.curveColumns(graph).filter((column) => data.rows.some((row) => column in row));
    const lines = [columns, ...data.rows.map((row) => columns.map((column) => row[column] ?? ""))].map((line) => line.join(","));
    const url = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
    repviz.save(url, `${nameOf(card)}.csv`);
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  repviz.offer({ figureAction: action, figureActions: actions, saveFigure, mountGraphActions });
})();
