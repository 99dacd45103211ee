// The one place that knows what is being looked at. Everything else listens to it.
//
// `state` is what the user chose and what the URL says; `data` is what the server told. Modules subscribe with
// `on(event, listener)`: "state" (changed keys), "manifest", "metrics", "sample", "colors", "overlays", "runs". Controls of Dash report to
// `set`, and are told about changes that come from elsewhere (URL, keys, play) with `mirror`.
window.repviz = (() => {
  const DEFAULTS = {
    run: null, // name of the run
    page: "overview",
    epoch: null, // the wanted epoch; counts only while `follow` is off
    follow: true, // always show the latest epoch
    method: "umap",
    layer: null, // one layer alone, null = all
    classes: null, // class numbers that are shown, null = all
    splits: null, // split codes that are shown, null = all
    selection: null, // rows of the sample, ascending; null = none
    point: null, // the one row that has a ring on every map, null = none
    color: "class", // or "<kind>.<value>" of an artifact, or "sample.<column>"
    ghost: null, // an earlier epoch whose points are drawn faintly, null = none
    trails: false, // the way of the selected points
    shown: "all", // rows of the table of samples: all, selected
    verdict: "any", // those whose prediction is any, right, wrong
    find: "", // in their id and text
    sort: "", // "<column>.up" or "<column>.down"
    tool: "move", // what the mouse does on a map: move, lasso, box
    axes: "locked", // "locked": one box for all epochs; "free": each epoch fills its map
    labels: true,
    log: false,
    options: {}, // what is chosen in figures, by "picture.option"; what is not in it is the default
    speed: 1,
    pinned: null, // names of other runs that are compared with this one, null = none
    film: null, // the picture of the filmstrip, null = the first there is
    frames: 6, // of the filmstrip
    theme: "light",
  };
  const FRAMES = [4, 6, 8, 12]; // how long a filmstrip can be
  const state = { ...DEFAULTS };
  const data = { config: null, runs: null, manifest: null, rows: [], sample: null, sampleProblem: null };
  const listeners = {};

  function on(event, listener) {
    (listeners[event] ??= []).push(listener);
  }

  function emit(event, detail) {
    for (const listener of listeners[event] ?? []) listener(detail);
  }

  /** Change some of the state; listeners hear which keys really changed. */
  function set(patch) {
    const changed = Object.keys(patch).filter((key) => !same(state[key], patch[key]));
    if (!changed.length) return;
    for (const key of changed) state[key] = patch[key];
    // Going back in the browser undoes a change of run, page or layer, but not every step through the epochs.
    writeUrl(changed.some((key) => ["run", "page", "layer"].includes(key)));
    emit("state", new Set(changed));
  }

  function same(a, b) {
    if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, at) => value === b[at]);
    return a === b || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b));
  }

  // --- the URL ---

  const TEXTS = ["run", "page", "method", "layer", "axes", "color", "shown", "verdict", "find", "sort"];
  const LISTS = ["classes", "splits"];
  const NUMBERS = ["point", "ghost"];

  function writeUrl(push) {
    if (!data.config) return; // what the URL says has not been read yet
    const query = new URLSearchParams();
    for (const key of TEXTS) if (state[key] !== DEFAULTS[key] && state[key] !== null) query.set(key, state[key]);
    if (!state.follow && state.epoch !== null) query.set("epoch", state.epoch);
    for (const key of LISTS) if (state[key]) query.set(key, state[key].join(","));
    for (const key of NUMBERS) if (state[key] !== null) query.set(key, state[key]);
    const selection = state.selection && repviz.packRows(state.selection);
    if (selection) query.set("selection", selection);
    if (state.trails) query.set("trails", "1");
    if (!state.labels) query.set("labels", "0");
    if (state.log) query.set("log", "1");
    const options = Object.entries(state.options).map(([name, value]) => `${name}.${value}`);
    if (state.pinned?.length) query.set("pinned", state.pinned.join("~"));
    if (state.film) query.set("film", state.film);
    if (state.frames !== DEFAULTS.frames) query.set("frames", state.frames);
    if (options.length) query.set("options", options.sort().join("~"));
    const url = `${location.pathname}?${query}`;
    if (url === location.pathname + location.search) return;
    if (push && location.search) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
  }

  /** What the URL says, completed by defaults; what it says wrongly is left out. */
  function readUrl() {
    const query = new URLSearchParams(location.search);
    const found = { follow: true, epoch: null };
    for (const key of TEXTS) found[key] = query.get(key) ?? DEFAULTS[key];
    for (const key of LISTS) {
      const numbers = (query.get(key) ?? "").split(",").filter((text) => /^-?\d+$/.test(text));
      found[key] = numbers.length ? numbers.map(Number) : null;
    }
    for (const key of NUMBERS) found[key] = /^\d+$/.test(query.get(key) ?? "") ? Number(query.get(key)) : null;
    found.selection = repviz.unpackRows(query.get("selection") ?? "");
    found.trails = query.get("trails") === "1";
    const epoch = query.get("epoch") ?? "";
    if (/^\d+$/.test(epoch)) Object.assign(found, { epoch: Number(epoch), follow: false });
    found.labels = query.get("labels") !== "0";
    found.log = query.get("log") === "1";
    found.pinned = query.get("pinned")?.split("~") ?? null;
    found.film = query.get("film") in data.config.pictures ? query.get("film") : null;
    found.frames = FRAMES.includes(Number(query.get("frames"))) ? Number(query.get("frames")) : DEFAULTS.frames;
    found.options = readOptions(query.get("options") ?? "");
    if (!data.config.pages.includes(found.page)) found.page = DEFAULTS.page;
    if (!data.config.methods.some(([name]) => name === found.method)) found.method = DEFAULTS.method;
    if (!["locked", "free"].includes(found.axes)) found.axes = DEFAULTS.axes;
    if (!["all", "selected"].includes(found.shown)) found.shown = DEFAULTS.shown;
    if (!["any", "right", "wrong"].includes(found.verdict)) found.verdict = DEFAULTS.verdict;
    return found;
  }

  /** "picture.option.value~…" as an object; what no picture knows, and what is the default, is left out. */
  function readOptions(text) {
    const found = {};
    for (const part of text.split("~")) {
      const [, picture, option, value] = /^([^.]+)\.([^.]+)\.(.+)$/.exec(part) ?? [];
      const choices = data.config.pictures[picture]?.options[option];
      if (choices && (!choices.length || choices.indexOf(value) > 0)) found[`${picture}.${option}`] = value;
    }
    return found;
  }

  window.addEventListener("popstate", () => data.config && set(readUrl()));

  // --- epochs ---

  /** Epochs that exist for what is shown, ascending. */
  function timeline() {
    if (!data.manifest || !data.config) return [];
    const kinds = kindsShown();
    return [...new Set(kinds.flatMap((kind) => epochsOf(kind)))].sort((a, b) => a - b);
  }

  /** Kinds whose epochs the slider runs over; "metrics" are the rows of the table. */
  function kindsShown() {
    const { epochs_of: of, rest } = data.config;
    if (state.page === "film" && state.film) return [data.config.pictures[state.film].kind];
    if (state.page !== rest) return of[state.page] ?? ["metrics", "projection"];
    return [...of[rest], ...unpictured()];
  }

  /** Kinds of this run that no installed picture draws. */
  function unpictured() {
    const drawn = new Set(Object.values(data.config.pictures).map((picture) => picture.kind));
    const broken = data.config.broken_pictures;
    return Object.keys(data.manifest?.artifacts ?? {}).filter((kind) => !drawn.has(kind) && !(kind in broken));
  }

  const epochsOf = (kind) =>
    (kind === "metrics" ? data.manifest?.metrics.epochs : data.manifest?.artifacts[kind]?.epochs) ?? [];

  /** The epoch that is looked at: one of `timeline`, null where there is none. */
  function currentEpoch() {
    return state.follow ? (timeline().at(-1) ?? null) : nearest(timeline(), state.epoch);
  }

  /** The latest of `epochs` that is not after `wanted`, else the first. */
  function nearest(epochs, wanted) {
    return epochs.findLast((epoch) => epoch <= wanted) ?? epochs[0] ?? null;
  }

  /** The method that is drawn: the chosen one, or one that the run has. */
  function method() {
    const there = Object.keys(data.manifest?.extents ?? {});
    return there.length && !there.includes(state.method) ? there[0] : state.method;
  }

  /** Go to an epoch by the user's will: following ends, unless it is the latest one of a run that is being followed. */
  function goTo(epoch) {
    if (epoch !== null) set({ epoch, follow: false });
  }

  // --- Dash ---

  /** Set properties of a Dash component; those that it has already are not set again, for each costs a rendering. */
  function mirror(id, properties) {
    const had = window.dash_component_api.getLayout(id)?.props ?? {};
    const others = Object.entries(properties).filter(([key, value]) => JSON.stringify(had[key] ?? null) !== JSON.stringify(value));
    if (others.length) window.dash_clientside.set_props(id, Object.fromEntries(others));
  }

  /** An element with attributes and children; text is always text, never markup. */
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "class") made.className = value ?? "";
      else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  /** Mantine keeps the scheme on the root element, whether it was chosen here, last time or by the system. */
  function themeOfPage() {
    return document.documentElement.dataset.mantineColorScheme === "dark" ? "dark" : "light";
  }

  const look = () => data.config.looks[state.theme];
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  /** What a script has for the others. Two of one name would silently call each other's: that is an error at once. */
  function offer(things) {
    for (const name of Object.keys(things)) if (name in repviz) throw new Error(`two scripts offer repviz.${name}`);
    Object.assign(repviz, things);
  }

  return {
    offer, FRAMES, state, data, on, emit, set, readUrl, timeline, epochsOf, unpictured, currentEpoch, nearest, method, goTo, mirror, element, themeOfPage, look, calm,
  };
})();
