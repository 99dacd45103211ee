// The shell: which page is shown, the run's state in the header, and why something is empty or broken.
(() => {
  const { state, data, on, set, mirror, element } = repviz;
  const STATES = {
    running: "this run is being trained now",
    finished: "training has ended as configured",
    stopped: "training was interrupted; it can be resumed from its last checkpoint",
    failed: "training ended with an error",
    killed: "run.json says running, but the process is gone; it can be resumed from its last checkpoint",
    damaged: "run.json cannot be read",
  };
  let unreachable = null;
  let gone = null;

  const byId = (id) => document.getElementById(id);
  const code = (text) => element("code", {}, text);

  // --- runs ---

  function drawRuns() {
    if (!data.runs) return;
    const options = data.runs.runs.map((run) => ({
      value: run.name,
      label: run.name,
      state: run.state,
      best: run.best,
      epoch: run.epoch,
      max: run.max_epochs,
    }));
    mirror("run-select", { data: options, value: state.run, placeholder: options.length ? "choose a run" : "no runs yet" });
  }

  /** One line of the list of runs, as a React element (see `renderOption` of dmc.Select). */
  function runOption({ option }) {
    const { createElement } = window.React;
    const most = option.max > 0 ? ` of ${option.max}` : "";
    return createElement(
      "div",
      { className: "run-option" },
      createElement("span", { className: "run-name" }, option.label),
      createElement("span", { className: `badge badge-${option.state}` }, option.state),
      createElement("span", { className: "run-epoch" }, option.epoch === null ? "" : `epoch ${option.epoch}${most}`),
      createElement("span", { className: "run-best" }, option.best == null ? "–" : option.best.toFixed(3)),
    );
  }

  function drawState() {
    const manifest = data.manifest;
    const badge = byId("run-state");
    if (!badge) return;
    badge.replaceChildren();
    if (manifest) {
      const text = element("span", { class: `badge badge-${manifest.state}` }, manifest.state);
      text.title = STATES[manifest.state] ?? "";
      badge.append(text);
    }
    drawProgress(byId("run-progress"), manifest);
    drawProblems(manifest);
  }

  function drawProgress(mount, manifest) {
    const progress = manifest?.progress;
    mount.replaceChildren();
    if (!progress) return;
    const most = manifest.max_epochs > 0 ? manifest.max_epochs : null;
    const perEpoch = progress.steps_per_epoch || 0;
    const within = perEpoch ? Math.min(1, Math.max(0, progress.step / perEpoch - progress.epoch)) : 0;
    const epoch = most ? `epoch ${progress.epoch} of ${most}` : `epoch ${progress.epoch}`;
    const live = manifest.state === "running";
    const step = live && perEpoch && within > 0 ? ` · step ${Math.round(within * perEpoch)} of ${perEpoch}` : "";
    const waiting = progress.background?.waiting;
    const behind = waiting ? ` · ${waiting} ${waiting === 1 ? "epoch waits" : "epochs wait"} to be looked at` : "";
    mount.append(element("span", {}, epoch + step + behind));
    if (!most || !live) return;
    const bar = element("div", { class: "progress", "aria-hidden": "true" }, element("div"));
    bar.firstChild.style.width = `${Math.min(100, (100 * (progress.epoch + within)) / most)}%`;
    mount.append(bar);
  }

  // --- problems ---

  function drawProblems(manifest) {
    const errors = manifest?.errors ?? { count: 0, last: [] };
    const count = errors.count + (manifest?.problems.length ?? 0) + (manifest?.error ? 1 : 0);
    mirror("problems", {
      children: count === 1 ? "1 problem" : `${count} problems`,
      style: { display: count ? "inline-flex" : "none" },
    });
    const list = byId("problems-list");
    if (list) list.replaceChildren(...problemEntries(manifest));
  }

  function problemEntries(manifest) {
    if (!manifest) return [];
    const { problems, error, errors } = manifest;
    const made = problems.map((text) => entry("a file cannot be read", text));
    if (error) made.unshift(entry("training failed", error));
    for (const e of [...errors.last].reverse()) {
      made.push(entry(`${e.kind} failed ${repviz.whenFailed(e)}`, `${e.error}: ${e.message}`, e.details));
    }
    const left = errors.count - errors.last.length;
    if (left > 0) made.push(element("p", { class: "muted" }, `… and ${left} earlier ones`));
    return made;
  }

  function entry(title, text, details) {
    const made = element("section", { class: "problem" }, element("h3", {}, title), element("p", {}, text));
    if (details) made.append(element("details", {}, element("summary", {}, "traceback"), element("pre", {}, details)));
    return made;
  }

  function openProblems() {
    mirror("problems-drawer", { opened: true });
    // The drawer's content is made when it opens.
    const fill = (tries) => {
      const list = byId("problems-list");
      if (list) list.replaceChildren(...problemEntries(data.manifest));
      else if (tries) setTimeout(() => fill(tries - 1), 50);
    };
    fill(20);
  }

  // --- pages, notices, empty states ---

  /** Whether a page has something to show where no run is open. */
  const withoutRun = (name) => data.config.without_run.includes(name) && Boolean(data.runs?.runs.length);

  function showPage() {
    for (const name of data.config.pages) {
      byId(`page-${name}`).hidden = name !== state.page || (data.manifest === null && !withoutRun(name));
      if (name === state.page) byId(`nav-${name}`).setAttribute("aria-current", "page");
      else byId(`nav-${name}`).removeAttribute("aria-current");
    }
  }

  // Links to pages stay here; with a key or another button they open the present view's page elsewhere, as links do.
  const linkOf = ({ target }) => target.closest(".navigation a");
  const pageOf = (link) => link.id.slice("nav-".length);

  function addressLink(event) {
    const link = linkOf(event);
    if (!link) return;
    const query = new URLSearchParams(location.search);
    query.set("page", pageOf(link));
    link.href = `?${query}`;
  }

  function followLink(event) {
    addressLink(event);
    const link = linkOf(event);
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    set({ page: pageOf(link) });
  }

  function drawNotice() {
    const notice = byId("notice");
    if (!notice) return;
    const content = noticeContent();
    notice.hidden = content === null;
    notice.replaceChildren(...(content ?? []));
    notice.classList.toggle("whole", data.manifest === null);
  }

  function noticeContent() {
    if (unreachable) return [element("p", {}, `The server does not answer (${unreachable}). What you see is what it said last; it is asked again every second.`)];
    if (data.manifest?.problems.length) return data.manifest.problems.map((text) => element("p", {}, text));
    if (data.manifest || !data.runs) return null;
    if (state.run && gone) return [element("h2", {}, `There is no run ${state.run}`), element("p", {}, `Choose another one above; they are in ${data.runs.runs_dir}.`)];
    if (state.run) return null;
    return [
      element("h2", {}, "No runs yet"),
      element("p", {}, "This page looks into ", code(data.runs.runs_dir), " and shows the first run as soon as there is one. Start one with"),
      element("pre", {}, "repviz fit --config configs/concat.yaml"),
    ];
  }

  function drawEmpty() {
    const manifest = data.manifest;
    if (!manifest) return;
    fillEmpty("curves-empty", manifest.metrics.epochs.length ? null : [
      element("p", {}, "No metrics yet: the first row of ", code("metrics.csv"), " is written before the first epoch of training."),
    ]);
    fillEmpty("maps-empty", whyNoMaps());
  }

  /** Why there are no maps to see, as elements; null where there are. */
  function whyNoMaps() {
    const manifest = data.manifest;
    const projection = manifest.artifacts.projection;
    if (!repviz.hasWebGL()) {
      return [element("h2", {}, "This browser draws no WebGL"), element("p", {}, "The maps need it. Switch on hardware acceleration in the browser's settings, or use another browser.")];
    }
    if (projection?.epochs.length) {
      if (manifest.sample === null) return [element("h2", {}, "sample.h5 is missing"), element("p", {}, "Without it nobody knows which points the maps show.")];
      if (data.sampleProblem) return [element("h2", {}, "sample.h5 cannot be read"), element("p", {}, data.sampleProblem)];
      return null;
    }
    const failed = manifest.errors.last.findLast((error) => error.kind === "projection");
    if (failed) return [element("h2", {}, "The projection failed"), element("p", {}, `${repviz.whenFailed(failed)}: ${failed.error}: ${failed.message}`)];
    const configured = (manifest.kinds ?? []).includes("projection");
    if (configured && manifest.state === "running") return [element("h2", {}, "The first maps are being computed"), element("p", {}, "They show the untrained network. The first one takes longest.")];
    return [
      element("h2", {}, "This run has no projection"),
      element("p", {}, "Its block was switched off or left out. This switches it on:"),
      element("pre", {}, "repviz fit --config configs/concat.yaml --projection.enabled=true"),
    ];
  }

  /** Only methods that the run has can be chosen; the one that is drawn is marked. */
  function drawMethods() {
    const there = Object.keys(data.manifest?.extents ?? {});
    if (!there.length) return;
    const options = data.config.methods.map(([value, label]) => ({ value, label, disabled: !there.includes(value) }));
    mirror("method", { data: options, value: repviz.method() });
  }

  function fillEmpty(id, content) {
    const mount = byId(id);
    if (!mount) return;
    mount.hidden = content === null;
    mount.replaceChildren(...(content ?? []));
    mount.parentElement.classList.toggle("is-empty", content !== null);
  }

  function refresh() {
    if (!data.config) return;
    drawState();
    drawNotice();
    showPage();
    drawEmpty();
    drawMethods();
  }

  document.addEventListener("pointerdown", addressLink);
  document.addEventListener("focusin", addressLink);
  document.addEventListener("click", followLink);
  on("runs", () => {
    drawRuns();
    drawNotice();
  });
  on("manifest", ({ message }) => {
    gone = message ?? null;
    refresh();
    document.title = state.run ? `${state.run} · repviz` : "repviz";
  });
  on("server", ({ reachable, message }) => {
    unreachable = reachable ? null : message;
    drawNotice();
  });
  on("state", (changed) => {
    if (changed.has("run")) drawRuns();
    if (changed.has("page")) refresh();
    for (const [key, id, property] of [["method", "method", "value"], ["axes", "axes", "value"], ["labels", "labels", "checked"], ["log", "log-loss", "checked"]]) {
      if (changed.has(key)) mirror(id, { [property]: state[key] });
    }
  });

  repviz.offer({ refreshShell: refresh, openProblems, whyNoMaps });
  (window.dashMantineFunctions ??= {}).runOption = runOption;
})();
