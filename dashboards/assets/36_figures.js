// Figures that the server draws: fetched as JSON, kept while there is room, and fetched ahead of time.
(() => {
  const { state, data } = repviz;
  const MAX_BYTES = 96e6;
  const AHEAD = 2;
  const CONFIG = {
    displaylogo: false,
    displayModeBar: "hover",
    responsive: false, // whoever draws tells when the size has changed
    // The card saves images itself, a selection is made on maps, and no chart is sent to plotly's servers.
    modeBarButtonsToRemove: ["toImage", "lasso2d", "select2d", "sendChartToCloud"],
    plotlyServerURL: "",
  };
  const SETTLED = 60; // ms
  const LEAST = [0, 0, 760, 940]; // px for so many columns of panels, whose titles are sentences; below a window of 1280
  const COLUMN = 160; // for each of more
  const LONGEST = 2000; // characters of a selection in an address; a longer one goes as the body
  const kept = new repviz.Kept(MAX_BYTES);
  const numbers = new WeakMap(); // rows -> number
  let numbered = 0;
  let whole = null; // promise of all of plotly

  const pictureOf = (name) => data.config.pictures[name];
  const kindOf = (name) => pictureOf(name)?.kind ?? name;

  /** What is to be drawn of a picture now: its epoch (null: over epochs) and its address; null where there is nothing. */
  function request(name, over, wanted = repviz.currentEpoch()) {
    const artifacts = data.manifest?.artifacts[kindOf(name)];
    if (!artifacts?.epochs.length || !pictureOf(name)) return null;
    const epoch = over ? null : repviz.nearest(artifacts.epochs, wanted);
    const version = over || pictureOf(name).beside ? artifacts.versions.join() : artifacts.versions[artifacts.epochs.indexOf(epoch)];
    const query = queryOf(name);
    const path = repviz.address(data.manifest.run, `figures/${name}/${over ? "over-epochs" : epoch}`);
    const selection = state.selection?.length ? repviz.packAll(state.selection) : "";
    const isLong = selection.length > LONGEST;
    if (selection && !isLong) query.set("selection", selection);
    const url = `${path}?${query}`;
    return { epoch, url, key: `${url}#${version}#${isLong ? numberOf(state.selection) : ""}`, body: isLong ? selection : null };
  }

  /** Each selection that is too long for an address has a number of its own. */
  function numberOf(rows) {
    if (!numbers.has(rows)) numbers.set(rows, ++numbered);
    return numbers.get(rows);
  }

  function queryOf(name) {
    const query = new URLSearchParams({ theme: state.theme });
    if (state.layer) query.set("layer", state.layer);
    if (state.classes) query.set("classes", state.classes.join(","));
    for (const [option, choices] of Object.entries(pictureOf(name).options)) {
      const value = state.options[`${name}.${option}`];
      if (value !== undefined && (!choices.length || choices.includes(value))) query.set(option, value);
    }
    return query;
  }

  /** The answer for a request: title, subtitle, figure, … as drawing.py tells; a promise. */
  const figure = ({ url, key, body }) => kept.get(key, url, repviz.json, body ? { method: "POST", body } : {});

  /** Fetch the epochs of a picture that follow. */
  function prefetchFigures(name, epoch) {
    const epochs = repviz.epochsOf(kindOf(name));
    const at = epochs.indexOf(epoch);
    for (const next of epochs.slice(at + 1, at + 1 + AHEAD)) figure(request(name, false, next)).catch(() => {});
  }

  /** The plotly that draws `traces`: its part that is loaded with the page, or all of it, fetched once; a promise. */
  async function plotly(traces) {
    const { Plotly, types } = window.plotlyLight;
    if (traces.every(({ type }) => types.includes(type ?? "scatter"))) return Plotly;
    whole ??= wholePlotly();
    whole.catch(() => (whole = null)); // asked again next time
    return whole;
  }

  async function wholePlotly() {
    const part = window.Plotly;
    await new Promise((resolve, reject) => {
      const script = repviz.element("script", { src: window._dashPlotlyJSURL, onload: resolve });
      script.addEventListener("error", () => reject(new Error("plotly.js could not be fetched")));
      document.head.append(script);
    });
    const all = window.Plotly;
    window.Plotly = part; // with which Dash has drawn its graphs
    return all;
  }

  /** Draw a figure, or draw it anew. What another of the two plotlys has drawn there is taken away first. */
  async function plot(stage, traces, layout, config) {
    const Plotly = await plotly(traces);
    if (stage.plotly && stage.plotly !== Plotly) unplot(stage);
    stage.plotly = Plotly;
    return Plotly.react(stage, traces, layout, { ...CONFIG, ...config });
  }

  /** Draw a figure as large as its stage is, or as wide as its panels need beside each other: then the stage scrolls. */
  function plotSized(stage, figure, config = {}) {
    const { traces, layout } = copied(figure);
    stage.least = leastWidth(layout);
    Object.assign(layout, sizeIn(stage), { autosize: false });
    return plot(stage, traces, layout, config);
  }

  const sizeIn = ({ clientWidth, clientHeight, least }) => ({ width: clientWidth && Math.max(clientWidth, least), height: clientHeight });

  /** The width below which the titles of panels would lie over each other; of one panel none. */
  function leastWidth(layout) {
    const axes = Object.entries(layout).filter(([name]) => /^xaxis\d*$/.test(name));
    const columns = new Set(axes.map(([, { domain }]) => domain?.[0] ?? 0)).size;
    return LEAST[columns] ?? columns * COLUMN;
  }

  /** Make a figure as large as its stage has become, once that has come to rest. */
  function refit(stage) {
    const { width, height } = sizeIn(stage);
    const layout = stage._fullLayout;
    if (!layout || !width || !height || (layout.width === width && layout.height === height)) return;
    clearTimeout(stage.resizing);
    stage.resizing = setTimeout(() => stage._fullLayout && stage.plotly.relayout(stage, { width, height }), SETTLED);
  }

  /** Give back what a figure takes. */
  function unplot(stage) {
    if (stage._fullLayout) stage.plotly.purge(stage);
    delete stage.dataset.listens;
    for (const line of stage.querySelectorAll(".epoch-line")) line.remove();
  }

  /** A copy that plotly may write into: what was fetched stays as it was. */
  const copied = ({ data: traces, layout }) => ({ traces: traces.map((t) => ({ ...t })), layout: structuredClone(layout) });

  /** The figure as it is on its own, with its title and size: for a file. */
  function alone(answer) {
    const { traces, layout } = copied(answer.figure);
    const { width, height, top } = answer.alone;
    const text = [answer.title, answer.subtitle].filter(Boolean).join("<br>");
    Object.assign(layout, { title: { ...layout.title, text }, margin: { ...layout.margin, t: top }, width, height });
    return { figure: { data: traces, layout }, width, height };
  }

  /** Save an address or a blob as a file. */
  function save(href, name) {
    const link = repviz.element("a", { href, download: name });
    document.body.append(link);
    link.click();
    link.remove();
  }

  repviz.offer({ kindOf, request, figure, prefetchFigures, plotly, plot, plotSized, refit, unplot, copied, alone, save });
})();
