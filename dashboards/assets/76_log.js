// Configuration and log of the run: settings, versions, results beside the baseline, diagnostics, and what happened.
(() => {
  const { state, data, on, element } = repviz;
  let drawn = null;
  let tag = null;

  const mount = () => document.getElementById("mount-log");

  async function ask() {
    if (state.page !== "log" || !data.manifest) return;
    const url = repviz.address(data.manifest.run, "log");
    const known = drawn === url && tag;
    try {
      const response = await fetch(url, known ? { headers: { "If-None-Match": tag } } : {});
      if (response.status === 304 || state.page !== "log") return;
      if (!response.ok) throw await repviz.problem(response);
      const answer = await response.json();
      [drawn, tag] = [url, response.headers.get("ETag")];
      draw(answer);
    } catch (error) {
      drawn = null;
      mount().replaceChildren(element("p", { role: "alert" }, error.message));
    }
  }

  function draw(answer) {
    const folded = new Set([...mount().querySelectorAll("details:not([open])")].map((part) => part.dataset.part));
    const pre = mount().querySelector(".config-text");
    const scrolled = pre?.scrollTop ?? 0;
    mount().replaceChildren(
      ...answer.problems.map((text) => element("p", { class: "notice", role: "alert" }, text)),
      element("div", { class: "log-columns" },
        card("Configuration", configuration(answer.config)),
        element("div", { class: "log-side" },
          card("What happened", events(answer.events)),
          card("Results", results(answer.results)),
          card("Diagnostics", diagnostics(answer)),
          card("Run", facts({ ...answer.facts, ...prefixed("data", answer.data) })),
          card("Versions", facts(answer.versions)),
          answer.background ? card("background.log", element("pre", { class: "log-text", tabindex: 0 }, answer.background)) : null)));
    for (const part of mount().querySelectorAll("details")) if (folded.has(part.dataset.part)) part.open = false;
    const text = mount().querySelector(".config-text");
    if (text) text.scrollTop = scrolled;
  }

  const card = (title, content) => element("section", { class: "card log-card" }, element("header", {}, element("h3", {}, title)), content);
  const prefixed = (name, facts) => Object.fromEntries(Object.entries(facts).map(([key, value]) => [`${name}: ${key}`, value]));

  function configuration(text) {
    if (!text) return element("p", { class: "muted" }, "config.yaml is not there; training writes it at its start.");
    const copy = element("button", { type: "button", class: "button", onclick: () => navigator.clipboard.writeText(text) }, "Copy");
    const again = element("code", {}, `repviz fit --config ${data.runs.runs_dir}/${data.manifest.run}/config.yaml`);
    return element("div", {},
      element("p", { class: "muted" }, "Repeats the run: ", again, " ", copy),
      element("pre", { class: "config-text", tabindex: 0, "aria-label": "config.yaml" }, text));
  }

  function events(list) {
    return element("ol", { class: "events" }, ...list.map(({ time, level, text, details }) => {
      const head = element("div", { class: `event-${level}` }, text);
      const more = details ? element("details", { "data-part": text }, element("summary", {}, "traceback"), element("pre", { class: "log-text" }, details)) : null;
      return element("li", {}, element("time", { datetime: time ?? "" }, local(time)), element("div", {}, head, more));
    }));
  }

  /** A time as this machine's clock says it, the same way everywhere. */
  function local(time) {
    const date = new Date(time ?? NaN);
    if (Number.isNaN(date.getTime())) return "–";
    return new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 19).replace("T", " ");
  }

  function results({ columns, rows }) {
    if (!rows.length) return element("p", { class: "muted" }, "results.csv is written at the end of training: the best epoch beside a logistic regression on the same inputs.");
    return grid(columns.map((name) => name.replaceAll("_", " ")), rows.map((row) => columns.map((name) => (typeof row[name] === "number" ? row[name].toFixed(4) : row[name].replaceAll("_", " ")))));
  }

  function diagnostics({ diagnostics: list }) {
    const last = data.manifest.metrics.epochs.at(-1) ?? 0;
    const rows = list.map(({ kind, configured, count, last: newest, failed }) => [
      kind, configured ? "on" : "off", String(count), newest === null ? "–" : String(newest), failed ? `${failed} failed` : "",
    ]);
    if (!rows.length) return element("p", { class: "muted" }, "none is configured, and none was computed");
    return element("div", {}, grid(["kind", "is", "epochs", "last", "failures"], rows), element("p", { class: "muted" }, `${lagText()} Training is at epoch ${last}.`));
  }

  /** What the worker programs have still to do, in a sentence. */
  function lagText() {
    const { background, not_looked_at: left } = data.manifest.progress ?? {};
    const parts = [];
    if (background?.waiting) parts.push(`${background.waiting} epochs wait to be looked at${background.computing?.length ? `; now: ${background.computing.map(({ kind, epoch }) => `${kind} of epoch ${epoch}`).join(", ")}` : ""}.`);
    if (left?.length) parts.push(`Not looked at: epochs ${left.join(", ")}.`);
    return parts.join(" ");
  }

  function facts(pairs) {
    return element("dl", { class: "facts" }, ...Object.entries(pairs).flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  }

  function grid(heads, rows) {
    const numeric = (text) => /^[\d.]+$/.test(text);
    const table = element("table", { class: "grid small" },
      element("thead", {}, element("tr", {}, ...heads.map((text, i) => element("th", { scope: "col", class: numeric(rows[0][i]) ? "number" : null }, text)))),
      element("tbody", {}, ...rows.map(([first, ...rest]) => element("tr", {}, element("th", { scope: "row" }, first), ...rest.map((text) => element("td", { class: numeric(text) ? "number" : null }, text))))));
    return element("div", { class: "grid-frame" }, table);
  }

  on("state", (changed) => changed.has("page") && ask());
  on("manifest", ask);
  repviz.offer({ grid, lagText });
})();
