// The filmstrip: one picture at evenly spaced epochs, all with the same axes and colours; a click goes to the epoch.
(() => {
  const { state, data, on, set, element } = repviz;
  const SHRINK = 0.72; // of the width that a figure has alone: its letters are still legible in a frame
  const LEAST = 520;
  const CAPTION = 26; // px above each frame in the exported picture
  let drawn = null;
  let images = []; // { epoch, url, width, height } of what is shown
  let version = 0;

  const mount = () => document.getElementById("mount-film");
  const drawable = () => Object.keys(data.config.pictures).filter((name) => repviz.epochsOf(repviz.kindOf(name)).length);

  /** `count` of `all`, the first and the last among them, as evenly as they allow. */
  function spaced(all, count) {
    if (all.length <= count) return all;
    return Array.from({ length: count }, (_, i) => all[Math.round((i * (all.length - 1)) / (count - 1))]);
  }

  async function draw() {
    if (state.page !== "film" || !data.manifest || !data.config) return;
    const names = drawable();
    const name = names.includes(state.film) ? state.film : names[0];
    if (name && name !== state.film) return set({ film: name }); // the slider runs over its epochs
    if (!name) {
      drawn = null;
      return mount().replaceChildren(...nothing());
    }
    const epochs = spaced(repviz.epochsOf(repviz.kindOf(name)), state.frames);
    const requests = epochs.map((epoch) => repviz.request(name, false, epoch));
    const wanted = requests.map(({ key }) => key).join("\n");
    if (wanted === drawn) return mark();
    drawn = wanted;
    const mine = ++version;
    mount().replaceChildren(tools(names, name), element("div", { class: "film-frames", "aria-busy": "true" }, element("p", { class: "muted" }, "drawing …")));
    try {
      const made = await frames(requests, () => mine === version && state.page === "film");
      if (made === null) return void (drawn = mine === version ? null : drawn);
      images = made;
      show(name);
    } catch (error) {
      if (mine !== version) return;
      drawn = null;
      mount().lastChild.replaceChildren(element("p", { role: "alert" }, error.message));
    }
  }

  function nothing() {
    return [element("div", { class: "empty" }, element("h2", {}, "Nothing to put side by side"),
      element("p", {}, "This run has no diagnostic yet that a figure draws. The pages of the diagnostics say what computes one."))];
  }

  function tools(names, name) {
    const options = names.map((key) => [key, repviz.pictureTitle(key)]).sort((a, b) => a[1].localeCompare(b[1]));
    const lengths = repviz.FRAMES.map(String);
    const save = element("button", { type: "button", class: "button", onclick: () => saveStrip(name) }, "Save as PNG");
    return element("div", { class: "toolbar" },
      repviz.dropdown("film", "figure", options, name, (value) => set({ film: value })),
      repviz.segments("frames", "epochs", lengths, String(state.frames), (value) => set({ frames: Number(value) })),
      save);
  }

  /** Pictures of all requests with shared scales; null where they are no longer wanted. */
  async function frames(requests, wanted) {
    const answers = await Promise.all(requests.map(repviz.figure));
    const Plotly = await repviz.plotly(answers.flatMap(({ figure }) => figure.data));
    const size = sizeOf(answers[0]);
    const shared = await scales(Plotly, answers, size, wanted);
    const made = [];
    for (const [number, answer] of answers.entries()) {
      if (!wanted()) return null;
      const { traces, layout } = repviz.copied(answer.figure);
      Object.assign(layout, size, { autosize: false });
      applyScales(layout, shared);
      const url = await Plotly.toImage({ data: traces, layout }, { format: "png", ...size, scale: 2 });
      made.push({ epoch: requests[number].epoch, url, ...size });
    }
    return made;
  }

  function sizeOf({ alone }) {
    const width = Math.round(Math.max(LEAST, SHRINK * alone.width));
    return { width, height: Math.round((width * alone.height) / alone.width) };
  }

  /** The ranges that hold every epoch: of each numeric axis, and of each colour scale that plotly chose by itself. */
  async function scales(Plotly, answers, size, wanted) {
    const found = { axes: {}, colors: {} };
    const stage = document.body.appendChild(element("div", { class: "film-stage", "aria-hidden": "true" }));
    try {
      for (const answer of answers) {
        if (!wanted()) break;
        const { traces, layout } = repviz.copied(answer.figure);
        await Plotly.newPlot(stage, traces, { ...layout, ...size, autosize: false }, { staticPlot: true });
        collect(stage._fullLayout, found);
      }
    } finally {
      Plotly.purge(stage);
      stage.remove();
    }
    return found;
  }

  function collect(full, { axes, colors }) {
    const take = (into, key, low, high) => {
      const known = into[key] ?? [Infinity, -Infinity];
      into[key] = [Math.min(known[0], low), Math.max(known[1], high)];
    };
    for (const key of Object.keys(full).filter((name) => /^[xy]axis\d*$/.test(name))) {
      const { type, range, autorange, matches, scaleanchor } = full[key];
      const plain = (type === "linear" || type === "log") && range && autorange !== false && autorange !== "reversed";
      if (plain && !matches && !scaleanchor) take(axes, key, ...range);
    }
    for (const key of Object.keys(full).filter((name) => /^scene\d*$/.test(name))) {
      for (const axis of ["xaxis", "yaxis", "zaxis"]) {
        const range = full[key][axis]?.range;
        if (range) take(axes, `${key}.${axis}`, ...range);
      }
    }
    for (const key of Object.keys(full).filter((name) => /^coloraxis\d*$/.test(name))) {
      take(colors, key, full[key].cmin, full[key].cmax);
    }
  }

  function applyScales(layout, { axes, colors }) {
    for (const [key, range] of Object.entries(axes)) {
      const [first, second] = key.split(".");
      const target = second ? ((layout[first] ??= {})[second] ??= {}) : (layout[first] ??= {});
      Object.assign(target, { range, autorange: false });
    }
    for (const [key, [cmin, cmax]] of Object.entries(colors)) Object.assign((layout[key] ??= {}), { cmin, cmax, cauto: false });
  }

  function show(name) {
    const list = mount().querySelector(".film-frames");
    list.removeAttribute("aria-busy");
    const columns = images[0].width > images[0].height * 1.6 ? 2 : 3;
    list.style.setProperty("--columns", Math.min(columns, images.length));
    list.replaceChildren(...images.map(({ epoch, url, width, height }) => {
      const image = element("img", { src: url, alt: `${repviz.pictureTitle(name)} at epoch ${epoch}`, width, height });
      const label = `go to epoch ${epoch}`;
      return element("button", { type: "button", class: "film-frame card", "data-epoch": epoch, title: label, onclick: () => repviz.goTo(epoch) },
        element("span", { class: "film-epoch" }, `epoch ${epoch}`), image);
    }));
    mark();
  }

  /** Which frame is at the epoch that is looked at. */
  function mark() {
    const epoch = String(repviz.nearest(images.map((image) => image.epoch), repviz.currentEpoch() ?? 0));
    for (const frame of mount()?.querySelectorAll(".film-frame") ?? []) {
      frame.setAttribute("aria-current", frame.dataset.epoch === epoch ? "true" : "false");
    }
  }

  /** All frames as one picture. */
  async function saveStrip(name) {
    if (!images.length) return;
    const columns = Number(mount().querySelector(".film-frames").style.getPropertyValue("--columns"));
    const { width, height } = images[0];
    const rows = Math.ceil(images.length / columns);
    const canvas = element("canvas", { width: 2 * columns * width, height: 2 * rows * (height + CAPTION) });
    const context = canvas.getContext("2d");
    const look = repviz.look();
    context.scale(2, 2);
    context.fillStyle = look.surface;
    context.fillRect(0, 0, columns * width, rows * (height + CAPTION));
    context.fillStyle = look.text;
    context.font = "600 14px 'Inter Variable', sans-serif";
    for (const [number, { epoch, url }] of images.entries()) {
      const [x, y] = [(number % columns) * width, Math.floor(number / columns) * (height + CAPTION)];
      const image = new Image();
      image.src = url;
      await image.decode();
      context.fillText(`epoch ${epoch}`, x + 12, y + 18);
      context.drawImage(image, x, y + CAPTION, width, height);
    }
    repviz.save(canvas.toDataURL("image/png"), `${data.manifest.run}_${name}_filmstrip.png`);
  }

  on("state", (changed) => {
    if (changed.has("page") && state.page !== "film") version++;
    draw();
  });
  on("manifest", ({ isNew }) => {
    if (isNew) drawn = null;
    draw();
  });

  repviz.offer({ openFilm: (name) => set({ page: "film", film: name }) });
})();
