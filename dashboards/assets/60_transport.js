// Moving through epochs: slider with the course of training behind it, play, keys.
(() => {
  const { state, data, on, set, goTo, timeline, currentEpoch, element } = repviz;
  const STEP_AT_SPEED_1 = 700; // ms from epoch to epoch
  let slider = null;
  let readout = null;
  let course = null;
  let timer = null;

  function mountTimeline(mount) {
    course = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    course.setAttribute("class", "course");
    course.setAttribute("preserveAspectRatio", "none");
    course.setAttribute("aria-hidden", "true");
    slider = element("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": "epoch" });
    slider.addEventListener("input", () => {
      pause();
      goTo(timeline()[slider.valueAsNumber] ?? null);
    });
    readout = element("output", { class: "epoch-readout" });
    mount.append(element("div", { class: "track" }, course, slider), readout);
    refresh();
  }

  /** Slider, readout and buttons as the state asks for. */
  function refresh() {
    if (!slider) return;
    const epochs = timeline();
    const epoch = currentEpoch();
    slider.max = Math.max(0, epochs.length - 1);
    slider.disabled = epochs.length < 2;
    slider.value = Math.max(0, epochs.indexOf(epoch));
    slider.style.setProperty("--at", epochs.length > 1 ? epochs.indexOf(epoch) / (epochs.length - 1) : 0);
    slider.setAttribute("aria-valuetext", epoch === null ? "no epoch yet" : `epoch ${epoch}`);
    const most = data.manifest?.max_epochs > 0 ? data.manifest.max_epochs : null;
    readout.replaceChildren(
      element("span", { class: "epoch-word" }, "epoch"),
      element("strong", {}, epoch === null ? "–" : String(epoch)),
      element("span", { class: "epoch-of" }, epochs.length ? `of ${most ?? epochs.at(-1)}` : "none yet"),
    );
    repviz.mirror("follow", { checked: state.follow });
  }

  /** The validation loss over the slider's epochs, as a faint line behind it; marks where epochs exist. */
  function drawCourse() {
    if (!course) return;
    const epochs = timeline();
    const values = new Map(data.rows.map((row) => [row.epoch, row.val_loss ?? row.train_loss]));
    const known = epochs.map((epoch, index) => [index, values.get(epoch)]).filter(([, v]) => Number.isFinite(v));
    course.replaceChildren();
    course.setAttribute("viewBox", `0 0 ${Math.max(1, epochs.length - 1)} 1`);
    if (known.length < 2) return;
    const low = Math.min(...known.map(([, v]) => v));
    const high = Math.max(...known.map(([, v]) => v));
    const y = (value) => 0.92 - (0.84 * (value - low)) / (high - low || 1);
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    line.setAttribute("points", known.map(([index, value]) => `${index},${y(value)}`).join(" "));
    line.setAttribute("vector-effect", "non-scaling-stroke");
    course.append(line);
  }

  // --- steps ---

  function step(by) {
    const epochs = timeline();
    const at = epochs.indexOf(currentEpoch()) + by;
    if (epochs.length) goTo(epochs[Math.min(Math.max(at, 0), epochs.length - 1)]);
  }

  function previous() {
    pause();
    step(-1);
  }

  function next() {
    pause();
    step(1);
  }

  function first() {
    pause();
    goTo(timeline()[0] ?? null);
  }

  function latest() {
    pause();
    set({ follow: true, epoch: null });
  }

  // --- play ---

  const playing = () => timer !== null;
  const stepMs = () => STEP_AT_SPEED_1 / state.speed;

  function play() {
    const epochs = timeline();
    if (playing()) return pause();
    if (epochs.length < 2) return;
    if (currentEpoch() === epochs.at(-1)) goTo(epochs[0]);
    timer = setTimeout(advance, stepMs());
    showPlaying();
  }

  async function advance() {
    const epochs = timeline();
    const after = epochs[epochs.indexOf(currentEpoch()) + 1];
    if (after === undefined) return pause();
    // The picture must be there before the number moves on.
    await Promise.allSettled(pictures(after));
    if (!playing()) return;
    goTo(after);
    timer = setTimeout(advance, stepMs());
  }

  /** What has to be fetched for `epoch` to be seen on this page. */
  function pictures(epoch) {
    if (repviz.viewsOf(state.page)) return repviz.fetchViews(epoch);
    const mapped = repviz.nearest(repviz.epochsOf("projection"), epoch);
    return mapped === null ? [] : [repviz.frame(mapped)];
  }

  function pause() {
    if (!playing()) return;
    clearTimeout(timer);
    timer = null;
    showPlaying();
  }

  function showPlaying() {
    const button = document.getElementById("play");
    button.classList.toggle("is-playing", playing());
    button.setAttribute("aria-label", playing() ? "Pause (space)" : "Play (space)");
  }

  // --- keys ---

  const KEYS = {
    " ": play,
    ArrowLeft: previous,
    ",": previous,
    ArrowRight: next,
    ".": next,
    Home: first,
    End: latest,
    "?": () => repviz.mirror("help-dialog", { opened: true }),
    Escape: () => repviz.escape(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !data.config) return;
    const target = event.target;
    const typing = target.closest?.("input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [role=dialog], [role=listbox]");
    const act = KEYS[event.key];
    if (!act || typing) return;
    // A focused button or switch is pressed by the space bar; radio buttons move with the arrows.
    if (event.key === " " && target.closest?.("button, a, [type=checkbox], [role=switch]")) return;
    if (event.key.startsWith("Arrow") && target.type === "radio") return;
    event.preventDefault();
    act();
  });

  on("state", (changed) => {
    if (changed.has("page")) drawCourse();
    if (changed.has("run")) pause();
    refresh();
  });
  on("manifest", () => {
    drawCourse();
    refresh();
  });
  on("metrics", drawCourse);

  repviz.offer({ mountTimeline, previous, next, first, latest, play, pause, playing, stepMs });
})();
