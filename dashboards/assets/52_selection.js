// The selected points, the same on every page: what they are, how they come and go, and which points are shown at all.
(() => {
  const { state, data, on, set, element } = repviz;
  const NAMED = 4; // classes in the bar
  const SPLITS_OF = ["train", "val", "excluded"];
  let shown = { key: null, rows: null };
  let visible = { of: null, among: null, rows: null };
  let note = null; // what whoever selected has to say about it
  let drawn = 0;

  /** Rows that the filters let through; null = all. The same array as long as the filters are the same. */
  function shownRows() {
    if (!state.classes && !state.splits) return null;
    const key = JSON.stringify([data.manifest.run, data.sample.version, state.classes, state.splits]);
    if (shown.key !== key) {
      const classes = state.classes && new Set(state.classes);
      const splits = state.splits && new Set(state.splits);
      const found = rowsWhere((row, label, split) => (!classes || classes.has(label)) && (!splits || splits.has(split)));
      shown = { key, rows: found };
    }
    return shown.rows;
  }

  /** Rows of the sample for which `test(row, label, split)` holds; label -1 = no class. */
  function rowsWhere(test) {
    const { n, labels, splits } = data.sample;
    const found = [];
    for (let row = 0; row < n; row++) if (test(row, Math.max(-1, labels[row]), splits[row])) found.push(row);
    return found;
  }

  /** The selected rows that exist and that the filters let through; null = nothing is selected. */
  function shownSelection() {
    if (!state.selection || !data.sample) return null;
    const among = shownRows();
    if (visible.of !== state.selection || visible.among !== among || visible.n !== data.sample.n) {
      const rows = among === null ? existing(state.selection) : inBoth(state.selection, among);
      visible = { of: state.selection, among, n: data.sample.n, rows };
    }
    return visible.rows;
  }

  /** Those of ascending rows that the sample has; the same array where it has all. */
  const existing = (rows) => (rows.at(-1) < data.sample.n ? rows : rows.filter((row) => row < data.sample.n));

  /** Those of ascending `rows` that are also in `others`; the same array where all are. */
  function inBoth(rows, others) {
    const there = new Uint8Array(data.sample.n);
    for (const row of others) there[row] = 1;
    const left = rows.filter((row) => there[row]);
    return left.length === rows.length ? rows : left;
  }

  /** Change the selection: `how` is replace, add or remove; `rows` ascending; `says` is told beside the count. */
  function select(rows, how = "replace", says = null) {
    let next = rows;
    if (how !== "replace") {
      const before = state.selection ?? [];
      const these = new Set(rows);
      const others = before.filter((row) => !these.has(row));
      next = how === "remove" ? others : Array.from(Int32Array.from([...others, ...rows]).sort());
    }
    note = says;
    set({ selection: next.length ? next : null });
    draw();
  }

  /** Esc takes away the last thing first: the selection, then the filters and the single layer. */
  function escape() {
    note = null;
    if (state.selection || state.point !== null) set({ selection: null, point: null });
    else set({ classes: null, splits: null, layer: null });
    draw();
  }

  // --- the bar ---

  async function draw() {
    const bar = document.getElementById("selection");
    if (!bar || !data.config) return;
    const hides = !data.manifest || !data.sample || (!state.selection && !note);
    if (bar.hidden !== hides) {
      bar.hidden = hides;
      repviz.grids.forEach((grid) => grid.fitColumns()); // there is more or less room now
    }
    if (hides) return;
    const rows = existing(state.selection ?? []);
    const turn = ++drawn;
    const accuracy = await accuracyOf(rows);
    if (turn !== drawn) return;
    const hidden = rows.length - (shownSelection()?.length ?? 0);
    const parts = [
      element("strong", {}, `${rows.length.toLocaleString("en")} selected`),
      element("span", { class: "selection-classes" }, ...classesOf(rows)),
      accuracy && element("span", {}, accuracy),
      hidden && rows.length ? element("span", {}, `${hidden.toLocaleString("en")} hidden by the filters`) : null,
      note && element("span", {}, note),
      state.selection && repviz.packRows(state.selection) === null ? element("span", {}, "too many for a link") : null,
      element("span", { class: "spacer" }),
      state.page === "samples" ? null : button("show in the table", () => set({ page: "samples", shown: "selected" })),
      button("clear (Esc)", escape),
    ];
    bar.replaceChildren(...parts.filter(Boolean));
  }

  const button = (text, onclick) => element("button", { type: "button", class: "link", onclick }, text);

  function classesOf(rows) {
    const most = [...repviz.countsOf(data.sample.labels, rows)].sort((a, b) => b[1] - a[1]);
    const made = most.slice(0, NAMED).map(([label, count]) => {
      return element("span", { class: "chip" }, swatch(label), `${nameOf(label)} ${count.toLocaleString("en")}`);
    });
    if (most.length > NAMED) made.push(element("span", { class: "chip" }, `${most.length - NAMED} more classes`));
    return made;
  }

  /** How many of the rows the network gets right at the epoch; null where nobody has looked. */
  async function accuracyOf(rows) {
    const block = await repviz.valuesAt("prediction", repviz.currentEpoch()).catch(() => null);
    const correct = block?.values.correct?.array;
    if (!correct) return null;
    const known = rows.filter((row) => !Number.isNaN(correct[row]));
    if (!known.length) return null;
    const right = known.reduce((sum, row) => sum + correct[row], 0);
    const splits = [...new Set(known.map((row) => SPLITS_OF[data.sample.splits[row]]))].join(", ");
    return `accuracy ${(right / known.length).toFixed(3)} at epoch ${block.epoch} (${splits})`;
  }

  function swatch(label) {
    const made = element("span", { class: "swatch", "aria-hidden": "true" });
    made.style.background = label < 0 ? repviz.look().no_class : data.manifest.colors[label];
    return made;
  }

  const nameOf = (label) => (label < 0 ? "no class" : (data.manifest.classes?.[label] ?? `class ${label}`));

  on("state", (changed) => {
    if (["selection", "epoch", "follow", "page", "classes", "splits", "theme"].some((key) => changed.has(key))) draw();
  });
  on("manifest", draw);
  on("sample", draw);

  repviz.offer({ shownRows, rowsWhere, shownSelection, select, escape, swatch, nameOf });
})();
