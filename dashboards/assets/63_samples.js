// The page of samples: which rows its table has, in which order, and what is written in them.
(() => {
  const { state, data, on, set, element } = repviz;
  const MEASURES = ["suspicion", "forgetting"]; // of the kind dynamics, where there is one
  const PREDICTED = ["confidence", "loss"];
  const TEXTS = ["id", "text"];
  const ASCENDING = ["row", "label", "split", "predicted", ...TEXTS]; // what is sorted from the first to the last at first
  const BYTES_MARK = "\ufeff"; // spreadsheets take a file without it for another encoding
  let list = null;
  let rows = []; // as shown
  let table = null; // { values: column -> array, titles, epoch, why, ranks: what id or text are sorted by }
  let found = { text: "", rows: null }; // of the search
  let turn = 0;

  function mountSamples() {
    list = new repviz.RowList(document.getElementById("table"), "samples", { sort, choose: (row) => set({ point: row }) });
    document.getElementById("select-shown").addEventListener("click", () => repviz.select([...rows].sort((a, b) => a - b)));
    document.getElementById("export").addEventListener("click", exportCsv);
  }

  // --- what there is ---

  async function load(epoch) {
    const text = TEXTS.find((name) => state.sort?.startsWith(`${name}.`) && (name === "id" || data.sample.hasText));
    const [prediction, dynamics, ranks] = await Promise.all([
      measured("prediction", epoch), measured("dynamics", epoch), text ? repviz.ranks(text).catch((error) => ({ problem: error.message })) : null,
    ]);
    const values = {};
    const titles = {};
    for (const [block, names] of [[dynamics, MEASURES], [prediction, ["predicted", "correct", ...PREDICTED]]]) {
      for (const name of names) {
        if (!block?.values[name]) continue;
        values[name] = block.values[name].array;
        titles[name] = `${block.values[name].title}; epoch ${block.epoch}`;
      }
    }
    const why = ranks?.problem ?? (prediction === null ? whyNone() : null);
    return { values, titles, ranks: ranks?.problem ? null : ranks, epoch: prediction?.epoch ?? null, why };
  }

  async function measured(kind, epoch) {
    const block = await repviz.valuesAt(kind, epoch).catch((error) => ({ problem: error.message }));
    return block?.n === data.sample.n ? block : null;
  }

  const whyNone = () => "prediction, confidence and loss are not known: no prediction has been made at this epoch";

  function columns() {
    // As wide as its name, and the arrow of the one that is sorted by.
    const number = (key, title = key) => ({ key, title, width: `minmax(${Math.max(52, 7 * title.length)}px, 78px)`, numeric: true, sortable: true, hint: table.titles[key] });
    const has = (key) => key in table.values;
    return [
      { key: "row", title: "row", width: "52px", numeric: true, sortable: true },
      { key: "id", title: "id", width: "minmax(76px, 1fr)", sortable: true },
      { key: "text", title: "text", width: "minmax(76px, 3fr)", sortable: true },
      { key: "label", title: "label", width: "minmax(72px, 0.7fr)", sortable: true },
      has("predicted") ? { key: "predicted", title: "predicted", width: "minmax(72px, 0.7fr)", sortable: true } : null,
      has("correct") ? { key: "correct", title: "right?", width: "48px", sortable: true, hint: table.titles.correct } : null,
      ...[...PREDICTED, ...MEASURES].filter(has).map((key) => number(key)),
      { key: "split", title: "split", width: "64px", sortable: true },
    ].filter((column) => column && (column.key !== "text" || data.sample.hasText));
  }

  // --- which rows, in which order ---

  function chosenRows() {
    const among = repviz.shownRows();
    const selected = state.shown === "selected" ? new Set(state.selection ?? []) : null;
    const holding = found.rows && new Set(found.rows);
    const correct = table.values.correct;
    const wanted = { right: 1, wrong: 0 }[state.verdict];
    const test = (row) =>
      (!selected || selected.has(row)) && (!holding || holding.has(row)) && (wanted === undefined || correct?.[row] === wanted);
    return among ? among.filter(test) : repviz.rowsWhere(test);
  }

  /** By what is sorted: what the reader chose, else what is worth looking at first. */
  function order() {
    const [key, direction] = (state.sort ?? "").split(".");
    const known = !TEXTS.includes(key) || table.ranks;
    if (known && columns().some((column) => column.sortable && column.key === key)) return { key, down: direction === "down" };
    const first = ["suspicion", "loss"].find((name) => name in table.values);
    return first ? { key: first, down: true } : { key: "row", down: false };
  }

  function sorted(unsorted, { key, down }) {
    const { labels, splits } = data.sample;
    const array = { label: labels, split: splits, id: table.ranks, text: table.ranks }[key] ?? table.values[key];
    const rank = (row) => (key === "row" ? row : array[row]);
    const sign = down ? -1 : 1;
    // What is not known comes last whichever way; what is equal stays in the order of the rows.
    const keys = Float64Array.from(unsorted, (row) => (Number.isNaN(rank(row)) ? Infinity : sign * rank(row)));
    const places = Uint32Array.from(unsorted.keys()).sort((a, b) => keys[a] - keys[b]);
    return Array.from(places, (place) => unsorted[place]);
  }

  function sort(key) {
    const now = order();
    const down = now.key === key ? !now.down : !ASCENDING.includes(key);
    set({ sort: `${key}.${down ? "down" : "up"}` });
  }

  // --- what is written ---

  async function fill(wanted) {
    const names = await repviz.namesOf(wanted).catch((error) => wanted.map(() => ({ id: error.message, text: null })));
    return wanted.map((row, i) => ({ ...texts(row), id: names[i].id, text: names[i].text ?? "" }));
  }

  function texts(row) {
    const { labels, splits } = data.sample;
    const at = (name) => table.values[name]?.[row];
    const ofClass = (label) => ({ sign: repviz.swatch(label), text: repviz.nameOf(label) });
    const made = { row: String(row), label: ofClass(labels[row]), split: data.config.splits[splits[row]] };
    if (at("predicted") !== undefined) made.predicted = ofClass(at("predicted"));
    if (at("correct") !== undefined) made.correct = { 0: "wrong", 1: "right" }[at("correct")] ?? "–";
    for (const name of [...PREDICTED, ...MEASURES]) {
      if (at(name) !== undefined) made[name] = Number.isFinite(at(name)) ? number(at(name)) : "–";
    }
    return made;
  }

  const number = (value) => (Number.isInteger(value) ? String(value) : Math.abs(value) < 1e-3 ? value.toExponential(1) : value.toFixed(3));

  async function refresh() {
    if (state.page !== "samples" || !list || !data.manifest || !data.sample) return;
    const now = ++turn;
    if (state.find !== found.text) await find();
    const loaded = await load(repviz.currentEpoch());
    if (now !== turn) return;
    table = loaded;
    const by = order();
    rows = sorted(chosenRows(), by);
    list.show(columns(), rows, by, fill);
    say(by);
    drawDetail();
  }

  async function find() {
    const text = state.find;
    const answer = text ? await repviz.search(text).catch((error) => ({ problem: error.message })) : null;
    if (text === state.find) found = { text, rows: answer?.problem ? [] : answer, problem: answer?.problem };
  }

  function say({ key, down }) {
    const count = `${rows.length.toLocaleString("en")} of ${data.sample.n.toLocaleString("en")}`;
    const first = TEXTS.includes(key) ? (down ? "from Z to A" : "from A to Z") : down ? "most first" : "least first";
    const parts = [count, `by ${key}, ${first}`];
    if (state.classes || state.splits) parts.push(`only ${filters()}`);
    if (table.epoch !== null) parts.push(`epoch ${table.epoch}`);
    document.getElementById("table-state").textContent = parts.join(" · ");
    const why = emptyBecause();
    const empty = document.getElementById("table-empty");
    empty.hidden = why === null && table.why === null;
    empty.replaceChildren(element("p", {}, why ?? table.why));
  }

  const filters = () =>
    [...(state.classes ?? []).map(repviz.nameOf), ...(state.splits ?? []).map((split) => data.config.splits[split])].join(", ");

  function emptyBecause() {
    if (rows.length) return null;
    if (found.problem) return found.problem;
    if (state.shown === "selected" && !state.selection) return "Nothing is selected. Draw a lasso on a map (Shift and drag), or click a cell of the confusion matrix.";
    return "No sample fits the filters.";
  }

  // --- the chosen one ---

  async function drawDetail() {
    const mount = document.getElementById("sample");
    if (!mount) return;
    const row = state.point;
    mount.hidden = row === null || !data.sample || row >= data.sample.n;
    if (list) list.choose(row, false);
    if (mount.hidden) return;
    const found = await repviz.description(row).catch(() => null);
    if (row !== state.point || !found) return;
    const { id, label, split, text, tabular } = found;
    const facts = Object.entries(tabular ?? {}).flatMap(([name, value]) => [
      element("dt", {}, name),
      element("dd", {}, value === null ? "–" : String(Number(value.toPrecision(5)))),
    ]);
    mount.replaceChildren(
      element("h3", {}, id),
      element("p", { class: "sample-label" }, repviz.swatch(label), repviz.nameOf(label), element("span", {}, split)),
      ...(text ? [element("p", { class: "sample-whole" }, text)] : []),
      ...(facts.length ? [element("dl", {}, ...facts)] : []),
    );
  }

  // --- CSV ---

  /** What is shown, as it is shown, with numbers in full. */
  async function exportCsv() {
    const shown = columns().map(({ key }) => key);
    const names = await repviz.namesOf(rows);
    const lines = rows.map((row, i) => shown.map((key) => quoted(plain(row, key, names[i]))).join(","));
    const content = [shown.join(","), ...lines].join("\r\n");
    const link = element("a", { download: `${state.run}_samples_epoch_${repviz.currentEpoch()}.csv` });
    link.href = URL.createObjectURL(new Blob([BYTES_MARK, content, "\r\n"], { type: "text/csv" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function plain(row, key, name) {
    if (key === "id" || key === "text") return name[key] ?? "";
    const value = table.values[key]?.[row];
    if (key === "predicted") return repviz.nameOf(value);
    if (value !== undefined) return Number.isNaN(value) ? "" : String(value);
    const { text } = texts(row)[key] ?? {};
    return text ?? texts(row)[key];
  }

  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  on("state", (changed) => {
    if (changed.has("point")) {
      drawDetail();
      if (state.page === "samples") list?.choose(state.point, true);
    }
    const others = ["page", "epoch", "follow", "selection", "classes", "splits", "theme", "shown", "verdict", "find", "sort"];
    if (others.some((key) => changed.has(key))) refresh();
    if (changed.has("shown")) repviz.mirror("shown", { value: state.shown });
    if (changed.has("verdict")) repviz.mirror("verdict", { value: state.verdict });
    if (changed.has("find")) repviz.mirror("find", { value: state.find });
  });
  on("sample", refresh);
  on("manifest", refresh);

  repviz.offer({ mountSamples });
})();
