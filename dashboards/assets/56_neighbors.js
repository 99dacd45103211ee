// The chosen point: what it is, and which points are nearest to it in a layer's own space, where no map can mislead.
(() => {
  const { state, data, on, set, element } = repviz;
  const kept = new repviz.Kept(2e6); // { layers: layer -> rows, nearest first }
  let layer = null; // whose neighbours are listed
  let drawn = 0;
  const NONE = "none known: all points coincide here, or the sample is so large that few were asked for their neighbours";

  /** The neighbours of the chosen point at an epoch; null where none is chosen or the projection has none. */
  function nearAt(epoch) {
    if (state.point === null || !data.manifest) return null;
    const artifacts = data.manifest.artifacts.projection;
    const version = artifacts?.versions[artifacts.epochs.indexOf(epoch)];
    const url = repviz.address(state.run, `neighbors/${epoch}/${state.point}`);
    return kept.get(`${url}#${version}`, url, repviz.json).catch((error) => ({ problem: error.message, layers: {} }));
  }

  async function draw() {
    const mount = document.getElementById("point-panel");
    if (!mount) return;
    const epoch = data.manifest && repviz.nearest(data.manifest.artifacts.projection?.epochs ?? [], repviz.currentEpoch());
    mount.hidden = state.point === null || !data.sample || epoch === null || state.point >= data.sample.n;
    if (mount.hidden) return mount.replaceChildren();
    const turn = ++drawn;
    const near = await nearAt(epoch);
    const layers = Object.keys(near?.layers ?? {});
    if (!layers.includes(layer)) layer = state.layer && layers.includes(state.layer) ? state.layer : (layers.at(-1) ?? null);
    const rows = near?.layers[layer] ?? [];
    const names = await repviz.namesOf([state.point, ...rows]).catch(() => null);
    if (turn === drawn && names) mount.replaceChildren(...content(near, layers, rows, names, epoch));
  }

  function content(near, layers, rows, [own, ...others], epoch) {
    const label = data.sample.labels[own.row];
    const same = rows.filter((row) => data.sample.labels[row] === label).length;
    const close = element("button", { type: "button", class: "link", onclick: () => set({ point: null }) }, "close");
    return [
      element("div", { class: "legend-heading" }, element("h3", {}, "Chosen point"), close),
      entry(own),
      element("div", { class: "near-head", title: `in the layer's own space, epoch ${epoch}` }, "nearest in ", choice(layers)),
      near?.problem ? element("p", { class: "near-note" }, near.problem) : null,
      layers.length && !rows.length ? element("p", { class: "near-note" }, NONE) : null,
      rows.length && label >= 0 ? element("p", { class: "near-note" }, `${same} of ${rows.length} have its label`) : null,
      element("div", { class: "near-list" }, ...others.map(entry)),
    ].filter(Boolean);
  }

  function choice(layers) {
    const made = element("select", { "aria-label": "layer whose neighbours are listed" });
    for (const name of layers) made.append(new Option(name, name, false, name === layer));
    made.addEventListener("change", () => {
      layer = made.value;
      draw();
    });
    return made;
  }

  function entry({ row, id, text }) {
    const label = data.sample.labels[row];
    const made = element(
      "button",
      { type: "button", class: "near-entry", title: text ?? id },
      repviz.swatch(label),
      element("span", { class: "legend-name" }, id),
      element("span", { class: "near-label" }, repviz.nameOf(label)),
    );
    made.addEventListener("mouseenter", () => repviz.markAll(row));
    made.addEventListener("mouseleave", () => repviz.markAll(null));
    made.addEventListener("click", () => set({ point: row }));
    return made;
  }

  on("state", (changed) => ["point", "epoch", "follow", "layer", "theme", "page"].some((key) => changed.has(key)) && draw());
  on("manifest", draw);
  on("sample", draw);

  repviz.offer({ nearAt });
})();
