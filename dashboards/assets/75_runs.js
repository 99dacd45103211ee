// The table of all runs: searched, sorted, opened by a click on its name, pinned to be compared.
(() => {
  const { state, data, on, set, element } = repviz;
  const EVERY = 3; // answers about the list of runs, between two looks at the table
  const MOST_PINNED = 9; // with the open one as many as have colours that everybody can tell apart
  const sorted = { key: "name", up: false };
  let table = null;
  let search = "";
  let tags = {};
  let shown = null;

  const mount = () => document.getElementById("mount-runs");

  const COLUMNS = [
    { key: "name", title: "run", value: (run) => run.name },
    { key: "state", title: "state", value: (run) => run.state },
    { key: "epoch", title: "epochs", number: true, value: (run) => run.epoch },
    { key: "accuracy", title: "best val accuracy", number: true, value: (run) => run.best.val_accuracy },
    { key: "f1", title: "macro F1", number: true, value: (run) => run.best.val_f1_macro },
    { key: "loss", title: "val loss", number: true, value: (run) => run.best.val_loss },
    { key: "seconds", title: "time", number: true, value: (run) => run.seconds },
    { key: "size", title: "size", number: true, value: (run) => run.size },
  ];

  const columns = () => [
    ...COLUMNS,
    ...table.differing.map((name) => ({ key: `config.${name}`, title: name, config: true, value: (run) => run.config[name] })),
  ];

  async function ask() {
    if (state.page !== "runs" || !data.config) return;
    try {
      const answer = await repviz.ask("data/table", tags);
      if (answer === null) return;
      table = answer;
      draw();
    } catch (error) {
      mount().replaceChildren(element("p", { role: "alert" }, `The table cannot be read: ${error.message}`));
      shown = null;
      tags = {};
    }
  }

  function draw() {
    if (state.page !== "runs" || !table) return;
    if (!shown) {
      shown = { body: element("tbody"), head: element("tr"), note: element("span", { class: "muted", role: "status" }) };
      const input = element("input", { type: "search", placeholder: "name, state, setting …", "aria-label": "search the runs", value: search });
      input.addEventListener("input", () => {
        search = input.value;
        drawRows();
      });
      const grid = element("table", { class: "grid" }, element("caption", { class: "unseen" }, "All runs"), element("thead", {}, shown.head), shown.body);
      mount().replaceChildren(
        element("div", { class: "toolbar" }, element("label", { class: "control" }, element("span", { class: "control-label" }, "search"), input), shown.note),
        element("div", { class: "card grid-frame" }, grid),
      );
    }
    drawHead();
    drawRows();
  }

  function drawHead() {
    const heads = columns().map(({ key, title, number, config }) => {
      const direction = sorted.key !== key ? "none" : sorted.up ? "ascending" : "descending";
      const sort = element("button", { type: "button", "data-key": key, onclick: () => sortBy(key, number) }, title);
      return element("th", { scope: "col", "aria-sort": direction, class: number ? "number" : config ? "setting" : null }, sort);
    });
    const focused = document.activeElement?.dataset?.key;
    shown.head.replaceChildren(element("th", { scope: "col" }, "pin"), ...heads);
    if (focused) shown.head.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Numbers begin with the largest, names with the first; the same column again turns it over. */
  function sortBy(key, number) {
    sorted.up = sorted.key === key ? !sorted.up : !number;
    sorted.key = key;
    draw();
  }

  function drawRows() {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const found = table.runs.filter((run) => words.every((word) => textOf(run).includes(word)));
    const column = columns().find(({ key }) => key === sorted.key) ?? COLUMNS[0];
    found.sort((a, b) => compare(column.value(a), column.value(b)) * (sorted.up ? 1 : -1));
    shown.note.textContent = words.length ? `${found.length} of ${table.runs.length} runs` : `${table.runs.length} runs`;
    shown.body.replaceChildren(...found.map(rowOf));
  }

  const textOf = (run) => [run.name, run.state, ...Object.entries(run.config).map(([key, value]) => `${key}=${value}`)].join(" ").toLowerCase();

  /** What is missing comes last when the largest come first. */
  function compare(a, b) {
    if (a == null || b == null) return (a == null ? -1 : 0) - (b == null ? -1 : 0);
    const [left, right] = [Number(a), Number(b)];
    if (Number.isFinite(left) && Number.isFinite(right)) return left - right;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function rowOf(run) {
    const open = element("a", { href: linkTo(run.name), onclick: (event) => openRun(event, run.name) }, run.name);
    const cells = columns().map((column) => {
      if (column.key === "name") return element("th", { scope: "row" }, open, run.problem ? element("span", { class: "grid-problem" }, run.problem) : null);
      if (column.key === "state") return element("td", {}, element("span", { class: `badge badge-${run.state}` }, run.state));
      return element("td", { class: column.number ? "number" : null, title: column.config ? `${column.title}: ${column.value(run)}` : null }, show(column.key, run));
    });
    const row = element("tr", { "aria-current": run.name === state.run ? "true" : null }, element("td", {}, pinOf(run)), ...cells);
    row.addEventListener("click", (event) => event.target.closest("a, input, label") || openRun(event, run.name));
    return row;
  }

  function pinOf(run) {
    const isOpen = run.name === state.run;
    const pinned = state.pinned ?? [];
    const full = pinned.length >= MOST_PINNED && !pinned.includes(run.name);
    const label = isOpen ? `${run.name} is open` : `pin ${run.name} to compare it with the open run`;
    const box = element("input", { type: "checkbox", checked: isOpen || pinned.includes(run.name), disabled: isOpen || full, "aria-label": label, title: label });
    box.addEventListener("change", () => {
      const others = (state.pinned ?? []).filter((name) => name !== run.name);
      const next = box.checked ? [...others, run.name] : others;
      set({ pinned: next.length ? next : null });
    });
    return box;
  }

  function linkTo(name) {
    const query = new URLSearchParams(location.search);
    for (const key of ["page", "epoch", "layer", "classes", "splits", "selection"]) query.delete(key);
    query.set("run", name);
    return `?${query}`;
  }

  function openRun(event, name) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const fresh = name === state.run ? {} : { run: name, follow: true, epoch: null, classes: null, splits: null, layer: null };
    set({ ...fresh, page: "overview" });
  }

  function show(key, run) {
    const value = COLUMNS.find((column) => column.key === key)?.value(run) ?? run.config[key.slice("config.".length)];
    if (value == null) return "–";
    if (key === "epoch") return run.max_epochs > 0 ? `${value} of ${run.max_epochs}` : String(value);
    if (key === "seconds") return duration(value);
    if (key === "size") return bytes(value);
    return typeof value === "number" ? value.toFixed(4) : String(value);
  }

  function duration(seconds) {
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.round(seconds % 60)];
    return h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`;
  }

  function bytes(size) {
    const power = Math.min(3, Math.floor(Math.log10(Math.max(size, 1)) / 3));
    return `${(size / 1000 ** power).toFixed(power && size / 1000 ** power < 100 ? 1 : 0)} ${["B", "kB", "MB", "GB"][power]}`;
  }

  let answers = 0;
  on("clock", () => state.page === "runs" && answers++ % EVERY === 0 && ask());
  on("runs", ask);
  on("state", (changed) => {
    if (changed.has("page") && state.page === "runs") ask();
    if ((changed.has("pinned") || changed.has("run") || changed.has("page")) && table) draw();
  });

  repviz.offer({ duration, bytes });
})();
