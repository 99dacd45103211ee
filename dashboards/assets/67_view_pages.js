// Pages of figures: the cards of the page that is shown, and the choices that their pictures declare.
(() => {
  const { state, data, on, set, element } = repviz;
  const GAP = 12;
  const FOOTER = 84 + 16;
  const HEADING = 46; // of a card
  const SQUEEZE = 0.8; // of its natural height is still legible
  const STRETCH = 1.5;
  const USUAL = { epoch: 430, over: 340 }; // heights of figures that name none
  const LEAST = 250;
  const pages = {}; // name -> { views, tools, mount }
  const layers = {}; // picture -> names of layers, the one that is drawn, and choices that its data has
  const FEW = 4; // choices that stand side by side if they are short

  const viewsOf = (page) => data.config?.views[page];
  const shown = () => pages[state.page]?.views ?? [];
  const pictureTitle = (name) => {
    const words = name.replaceAll("_", " ");
    return words[0].toUpperCase() + words.slice(1);
  };

  /** The cards of a page, made when it is first shown. */
  function pageOf(name) {
    if (!viewsOf(name)) return null;
    pages[name] ??= { views: [], mount: document.getElementById(`views-${name}`), tools: document.getElementById(`tools-${name}`) };
    const page = pages[name];
    const wanted = wantedCards(name);
    const have = page.views.map((view) => `${view.name}:${view.over}`);
    if (wanted.map(([picture, over]) => `${picture}:${over}`).join() !== have.join()) {
      for (const view of page.views) view.forget();
      page.views = wanted.map(([picture, over]) => new repviz.View(picture, over));
      page.mount.replaceChildren(...page.views.map((view) => view.root));
    }
    return page;
  }

  /** Pictures and whether over epochs. The page of the rest shows what this run has; the others say what is missing. */
  function wantedCards(page) {
    const { pictures, broken_pictures: broken, rest } = data.config;
    const has = (name) => repviz.epochsOf(repviz.kindOf(name)).length > 0;
    const failed = (name) => repviz.kindOf(name) in (data.manifest?.errors.kinds ?? {});
    let names = viewsOf(page).filter((name) => name in pictures || name in broken);
    if (page === rest) {
      names = [...names.filter((name) => has(name) || failed(name)), ...repviz.unpictured()];
    }
    return names.flatMap((name) => {
      const over = pictures[name]?.over_epochs && repviz.epochsOf(repviz.kindOf(name)).length > 1;
      return over ? [[name, false], [name, true]] : [[name, false]];
    });
  }

  function drawPage() {
    if (!data.config || !data.manifest) return;
    const page = pageOf(state.page);
    if (!page) return;
    drawTools(page);
    drawNothing(page);
    fitViews();
    for (const view of page.views) view.draw();
  }

  /** The page of the rest, in a run that has nothing else. */
  function drawNothing(page) {
    if (page.views.length) return;
    page.mount.replaceChildren(
      element("div", { class: "empty" },
        element("h2", {}, "Nothing else was recorded"),
        element("p", {}, "Every diagnostic of this run has a page of its own. One that an installed package brings shows up here by itself.")),
    );
  }

  // --- room ---

  /** Heights of the cards: all in the window where they stay legible, else as high as they want to be. */
  function fitViews() {
    const page = pages[state.page];
    if (!page?.mount.offsetParent || !page.views.length) return;
    const top = page.mount.getBoundingClientRect().top + scrollY;
    const room = innerHeight - top - FOOTER;
    const beside = page.mount.classList.contains("beside") && page.mount.clientWidth >= 1000 && page.views.length === 2;
    page.mount.classList.toggle("in-two", beside);
    const natural = page.views.map((view) => view.answer?.height ?? (view.over ? USUAL.over : USUAL.epoch));
    const total = natural.reduce((sum, height) => sum + height, 0);
    const free = room - (page.views.length - 1) * GAP - page.views.length * HEADING;
    const scale = Math.min(STRETCH, Math.max(SQUEEZE, free / total));
    page.views.forEach((view, number) => {
      const fitted = view.message.hidden ? Math.max(LEAST, natural[number] * scale) : 0;
      const height = beside ? Math.max(USUAL.over, room - HEADING) : fitted;
      view.stage.style.height = height ? `${Math.floor(height)}px` : "auto";
      view.resize();
    });
  }

  // --- choices ---

  /** What the answer of a picture says of its choices; those of the data are the ones at the epoch. */
  function choicesKnown(name, answer, over) {
    const choices = over ? (layers[name]?.choices ?? {}) : answer.choices;
    const known = { names: answer.layers, drawn: answer.layer, choices };
    if (JSON.stringify(layers[name]) === JSON.stringify(known)) return;
    layers[name] = known;
    if (pages[state.page]) drawTools(pages[state.page]);
  }

  /** The choices of all pictures of the page that have something to draw; built again only when they are others. */
  function drawTools(page) {
    const names = [...new Set(page.views.map((view) => view.name))].filter((name) => repviz.request(name, false));
    const known = names.map((name) => layers[name]).filter(Boolean);
    const signature = JSON.stringify([names, known, state.options, state.layer, state.classes]);
    if (page.signature === signature) return;
    page.signature = signature;
    const focused = document.activeElement?.dataset?.control;
    const several = names.filter((name) => Object.keys(data.config.pictures[name].options).length).length > 1;
    page.tools.replaceChildren(
      ...names.flatMap((name) => optionsOf(name, several)), ...layerChoice(names), ...classesNote(),
    );
    page.tools.hidden = !page.tools.childElementCount;
    if (focused) page.tools.querySelector(`[data-control="${CSS.escape(focused)}"]`)?.focus();
  }

  function optionsOf(name, several) {
    return Object.entries(data.config.pictures[name].options).map(([option, choices]) => {
      const offered = layers[name]?.choices[option];
      if (offered ? !offered.length : !choices.length) return null; // it does not matter to what is shown
      const key = `${name}.${option}`;
      const label = (several ? `${pictureTitle(name)}: ` : "") + option.replaceAll("_", " ");
      const pairs = offered ?? choices.map((choice) => [choice, choice]);
      const choose = (value) => {
        const options = { ...state.options, [key]: value };
        if (value === choices[0]) delete options[key];
        set({ options });
      };
      const values = pairs.map(([value]) => value);
      const chosen = values.includes(state.options[key]) ? state.options[key] : values[0];
      const plain = pairs.every(([value, text]) => value === text) && (choices.length || pairs.length <= FEW);
      return plain ? repviz.segments(key, label, values, chosen, choose) : repviz.dropdown(key, label, pairs, chosen, choose);
    }).filter(Boolean);
  }

  function layerChoice(names) {
    const own = names.map((name) => [name, layers[name]]).filter(([, known]) => known?.names.length);
    if (!own.length) return [];
    const every = [...new Set(own.flatMap(([, known]) => known.names))];
    const oneOnly = own.every(([name]) => data.config.pictures[name].one_layer);
    const chosen = every.includes(state.layer) ? state.layer : oneOnly ? own[0][1].drawn : "";
    const options = [...(oneOnly ? [] : [["", "all layers"]]), ...every.map((layer) => [layer, layer])];
    return [repviz.dropdown("layer", "layer", options, chosen, (value) => set({ layer: value || null }))];
  }

  function classesNote() {
    if (!state.classes) return [];
    const names = state.classes.map((k) => data.manifest.classes?.[k] ?? "no class");
    const text = names.length > 3 ? `${names.length} classes` : names.join(", ");
    const all = () => set({ classes: null });
    return [element("span", { class: "control" }, `only ${text}`, element("button", { type: "button", class: "link", onclick: all }, "show all"))];
  }

  // --- epochs ahead, pages that come and go ---

  /** Promises of what the page shows at `epoch`. */
  const fetchViews = (epoch) =>
    shown().filter((view) => !view.over && repviz.request(view.name, false))
      .map((view) => repviz.figure(repviz.request(view.name, false, epoch)));

  on("state", (changed) => {
    if (changed.has("page")) {
      for (const [name, page] of Object.entries(pages)) {
        if (name !== state.page) page.views.filter((view) => view.isGl).forEach((view) => view.forget());
      }
    }
    drawPage();
  });
  on("manifest", ({ isNew }) => {
    if (isNew) for (const page of Object.values(pages)) page.views.forEach((view) => view.forget());
    drawPage();
  });
  window.addEventListener("resize", () => fitViews());

  repviz.offer({ viewsOf, fetchViews, fitViews, choicesKnown, pictureTitle, drawViewPage: drawPage });
})();
