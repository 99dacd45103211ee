// Classes and splits: what the colours and shapes mean, which are shown, and which one is stressed for a moment.
(() => {
  const { state, data, on, set, element } = repviz;
  const MOST = 60; // classes in the list at once: with more of them, those whose name has what is typed
  let mount = null;
  let sought = "";

  function build() {
    if (!mount || !data.manifest || !data.sample) return mount?.replaceChildren();
    const focused = mount.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const scrolled = mount.querySelector(".legend-list")?.scrollTop ?? 0;
    mount.replaceChildren(
      ...coloringEntries(),
      heading("Splits", "splits"),
      element("div", { class: "legend-splits" }, ...data.config.splits.map(splitEntry).filter(Boolean)),
      heading("Classes", "classes"),
      data.sample.classCounts.size > MOST ? finder() : "",
      element("div", { class: "legend-list" }, ...classEntries()),
    );
    mount.querySelector(".legend-list").scrollTop = scrolled;
    if (focused) mount.querySelector(`[data-key="${focused}"]`)?.focus();
  }

  function finder() {
    const field = element("input", { type: "search", class: "legend-find", "data-key": "find", placeholder: "find a class", "aria-label": "find a class" });
    field.value = sought;
    field.addEventListener("input", () => {
      sought = field.value;
      mount.querySelector(".legend-list").replaceChildren(...classEntries());
    });
    return field;
  }

  /** The classes that are sought, the chosen ones first, and how many more there are. */
  function classEntries() {
    const all = [...data.sample.classCounts];
    if (all.length <= MOST) return all.map(classEntry);
    const part = sought.trim().toLowerCase();
    const found = all.filter(([label]) => repviz.nameOf(label).toLowerCase().includes(part));
    const chosen = (label) => state.classes?.includes(label) ?? false;
    const first = [...found.filter(([label]) => chosen(label)), ...found.filter(([label]) => !chosen(label))].slice(0, MOST);
    const more = found.length - first.length;
    const note = found.length ? `${more.toLocaleString("en")} more: find them by name` : "no class has this in its name";
    return [...first.map(classEntry), more || !found.length ? element("p", { class: "legend-note" }, note) : ""];
  }

  /** What the colours say, where they do not say the class. */
  function coloringEntries() {
    const { legend, note } = repviz.coloring ?? {};
    const made = [];
    if (legend) {
      const epoch = legend.epoch === null ? "" : ` · epoch ${legend.epoch}`;
      made.push(element("div", { class: "legend-heading", title: legend.long }, element("h3", {}, `Colour: ${legend.title}${epoch}`)));
      if (legend.kind === "scale") made.push(bar(legend));
      if (legend.kind === "entries") made.push(...legend.entries.map(plainEntry));
    }
    for (const text of [note, repviz.overlayNote()]) if (text) made.push(element("p", { class: "legend-note" }, text));
    return made;
  }

  function bar({ low, high, under, over, missing, units, title, long }) {
    const { scale, no_class } = repviz.look();
    const strip = element("div", { class: "scale-strip", role: "img" });
    strip.setAttribute("aria-label", `${title} from ${tick(low)} to ${tick(high)}`);
    strip.style.background = `linear-gradient(to right, ${scale.join(", ")})`;
    const middle = (low + high) / 2;
    const ticks = [under ? `≤ ${tick(low)}` : tick(low), tick(middle), over ? `≥ ${tick(high)}` : tick(high)];
    const unit = units && units !== "1" ? `${long} (${units})` : long;
    const none = missing ? plainEntry({ text: "not known", count: missing, color: no_class }) : null;
    const labels = element("div", { class: "scale-ticks" }, ...ticks.map((text) => element("span", {}, text)));
    return element("div", { class: "scale" }, strip, labels, element("p", { class: "legend-note" }, unit), none);
  }

  const tick = (value) => (value === 0 ? "0" : Math.abs(value) >= 1e4 || Math.abs(value) < 1e-2 ? value.toExponential(1) : String(Number(value.toPrecision(3))));

  function plainEntry({ text, at, count, color }) {
    const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = color ?? repviz.coloring.palette(repviz.look())[at];
    const number = element("span", { class: "legend-count" }, count.toLocaleString("en"));
    return element("div", { class: "legend-entry plain" }, swatch, element("span", { class: "legend-name" }, text), number);
  }

  function heading(title, key) {
    const all = element("button", { type: "button", class: "link", onclick: () => set({ [key]: null }) }, "show all");
    all.hidden = state[key] === null;
    return element("div", { class: "legend-heading" }, element("h3", {}, title), all);
  }

  function splitEntry(name, code) {
    const count = data.sample.splitCounts.get(code);
    if (!count) return null;
    const shape = element("span", { class: `shape shape-${name}`, "aria-hidden": "true" });
    return entry("splits", code, shape, name, count);
  }

  function classEntry([label, count]) {
    const swatch = repviz.swatch(label);
    // Where colours say something else, a colour beside the class would be a lie.
    if (repviz.coloring?.legend && repviz.coloring.legend.kind !== "classes") swatch.hidden = true;
    const made = entry("classes", label, swatch, repviz.nameOf(label), count);
    made.addEventListener("mouseenter", () => preview(label));
    made.addEventListener("mouseleave", () => preview(null));
    return made;
  }

  function entry(key, value, sign, name, count) {
    const shown = !state[key] || state[key].includes(value);
    const made = element(
      "button",
      { type: "button", class: "legend-entry", "data-key": `${key}:${value}`, "aria-pressed": String(shown), title: name },
      sign,
      element("span", { class: "legend-name" }, name),
      element("span", { class: "legend-count" }, count.toLocaleString("en")),
    );
    made.classList.toggle("off", !shown);
    made.addEventListener("click", (event) => choose(key, value, event.ctrlKey || event.metaKey || event.shiftKey));
    return made;
  }

  /** A click shows one alone (a second click all again); with Ctrl or Shift it joins or leaves those that are shown. */
  function choose(key, value, join) {
    const shown = state[key] ?? [];
    const alone = shown.length === 1 && shown[0] === value;
    let next = alone ? [] : [value];
    if (join) next = shown.includes(value) ? shown.filter((v) => v !== value) : [...shown, value].sort((a, b) => a - b);
    repviz.previewed = null;
    set({ [key]: next.length ? next : null });
  }

  function preview(label) {
    if (label !== null && state.classes && !state.classes.includes(label)) return;
    repviz.previewed = label;
    repviz.styleMaps();
  }

  on("sample", build);
  on("colors", build);
  on("overlays", build);
  on("manifest", ({ isNew }) => isNew && build());
  on("state", (changed) => ["classes", "splits", "theme"].some((key) => changed.has(key)) && build());

  function mountLegend(where) {
    mount = where;
    build();
  }

  repviz.offer({ mountLegend });
})();
