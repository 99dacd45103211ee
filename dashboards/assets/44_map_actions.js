// What a map offers: to be saved as it is seen, as PNG and as SVG, its numbers as CSV, and to fill the screen.
(() => {
  const { data, element } = repviz;
  const HEAD = 46; // pixels over the map, for its title
  const SIDE = 190; // pixels beside it, for what the colours mean
  const LINE = 18;
  const FAMILY = "'Inter Variable', Inter, sans-serif";
  const DENSITY = 2; // of the PNG
  const SWATCHES = 9; // of a scale
  const MOST_IN_SVG = 200_000; // points: beyond, no program opens the file

  /** The button of a map, and the list that it opens. */
  function mapMenu(map) {
    const choose = (act) => () => {
      menu.open = false;
      act();
    };
    const filled = () => (document.fullscreenElement === map.root ? document.exitFullscreen() : map.root.requestFullscreen());
    const choice = (text, label, act) => element("button", { type: "button", class: "map-choice", "aria-label": label, onclick: choose(act) }, text);
    const svg = choice("SVG", "save as SVG", () => saveSvg(map));
    const menu = element("details", { class: "map-menu" },
      element("summary", { class: "map-button" }, element("span", { class: "icon icon-save", "aria-hidden": "true" })),
      element("div", { class: "map-choices" },
        choice("PNG", "save as PNG", () => savePng(map)),
        svg,
        choice("CSV", "save the coordinates as CSV", () => saveCsv(map)),
        choice("Full screen", "full screen", filled)));
    menu.addEventListener("toggle", () => {
      const n = map.place ? shownRows(map).length : 0;
      svg.disabled = n > MOST_IN_SVG;
      svg.title = svg.disabled ? `${n.toLocaleString("en")} points are too many for any program that opens SVG; at most ${MOST_IN_SVG.toLocaleString("en")} shown points can be saved so` : "";
    });
    menu.addEventListener("focusout", ({ relatedTarget }) => !menu.contains(relatedTarget) && (menu.open = false));
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      event.stopPropagation();
      menu.open = false;
      menu.querySelector("summary").focus();
    });
    return menu;
  }

  /** Say on a map's menu what the map is called. */
  function nameMenu(menu, name) {
    const label = `save ${name}, or fill the screen with it`;
    for (const attribute of ["title", "aria-label"]) menu.querySelector("summary").setAttribute(attribute, label);
  }

  const fileName = ({ shown: { run, layer, frame } }) => `${run}_${layer}_${frame.method}_epoch_${frame.epoch}`;

  async function savePng(map) {
    if (!map.place) return;
    const { width, height } = sizeOf(map);
    const canvas = element("canvas", { width: DENSITY * width, height: DENSITY * height });
    const context = canvas.getContext("2d");
    context.scale(DENSITY, DENSITY);
    context.within = (x, y, w, h, draw) => {
      context.save();
      context.translate(x, y);
      context.beginPath();
      context.rect(0, 0, w, h);
      context.clip();
      draw();
      context.restore();
    };
    await document.fonts.ready;
    paint(map, context, width, height);
    canvas.toBlob((blob) => saveBlob(blob, `${fileName(map)}.png`));
  }

  function saveSvg(map) {
    if (!map.place) return;
    const { width, height } = sizeOf(map);
    const context = new repviz.SvgContext(width, height);
    paint(map, context, width, height);
    saveBlob(new Blob([String(context)], { type: "image/svg+xml" }), `${fileName(map)}.svg`);
  }

  function saveCsv({ place, shown: { run, layer, frame } }) {
    if (!place) return;
    const query = new URLSearchParams({ only: "coordinates", layer, method: frame.method });
    repviz.save(repviz.address(run, `numbers/projection/${frame.epoch}?${query}`), "");
  }

  function saveBlob(blob, name) {
    const url = URL.createObjectURL(blob);
    repviz.save(url, name);
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }

  /** The rows that are drawn. */
  const shownRows = (map) => map.among(map.look.rows) ?? map.place.x;

  const sizeOf = ({ stage }) => ({ width: stage.clientWidth + SIDE, height: stage.clientHeight + HEAD });

  // --- drawing: the same on a canvas and as SVG ---

  function paint(map, context, width, height) {
    const [w, h] = [map.stage.clientWidth, map.stage.clientHeight];
    context.fillStyle = map.look.surface;
    context.fillRect(0, 0, width, height);
    write(context, map.names[0], 14, 22, `600 15px ${FAMILY}`, map.look.text);
    write(context, [map.epoch.textContent, map.trust.textContent].filter(Boolean).join(" · "), 14, 39, `400 12px ${FAMILY}`, map.look.text);
    context.within(0, HEAD, w, h, () => {
      repviz.paintUnder(map, context);
      points(map, context, w, h);
      repviz.paintOver(map, context);
    });
    legend(map, context, w + 14, HEAD + 8, height - 8);
  }

  function write(context, text, x, y, font, color) {
    Object.assign(context, { font, fillStyle: color, textAlign: "left", textBaseline: "alphabetic", globalAlpha: 1 });
    context.fillText(text, x, y);
  }

  /** One path for all points of a colour; those that are not selected are faded, and lie under the others. */
  function points(map, context, width, height) {
    const { place, look, indices } = map;
    const all = map.among(look.rows) ?? place.x.keys();
    const selected = map.selected?.length ? new Set(map.selected) : null;
    const radii = map.plot.get("pointSize").map((size) => size / 2);
    const groups = new Map(); // whether it stands out, and colour -> split, place and radius of points
    for (const row of all) {
      const [x, y] = map.screen(place.x[row], place.y[row]);
      if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
      const key = `${selected && !selected.has(row) ? 0 : 1},${indices[row]}`;
      if (!groups.has(key)) groups.set(key, []);
      const split = data.sample.splits[row];
      groups.get(key).push([split, x, y, radii[split] ?? radii[0]]);
    }
    for (const [key, group] of [...groups].sort(([a], [b]) => a[0] - b[0])) {
      const [standsOut, color] = key.split(",").map(Number);
      Object.assign(context, { fillStyle: look.colors[color], globalAlpha: standsOut ? look.opacities[color] : repviz.FADED_BY_SELECTION });
      context.beginPath();
      for (const point of group) repviz.pointPath(context, ...point);
      context.fill();
    }
    context.globalAlpha = 1;
  }

  function legend(map, context, x, top, bottom) {
    const { title, entries } = meaning(map);
    top = splits(map, context, x, top);
    write(context, title, x, top + 4, `600 12px ${FAMILY}`, map.look.text);
    const room = Math.max(1, Math.floor((bottom - top - LINE) / LINE));
    const shown = entries.length > room ? entries.slice(0, room - 1) : entries;
    shown.forEach(({ color, text }, at) => {
      context.fillStyle = color;
      context.fillRect(x, top + LINE * (at + 1) - 8, 10, 10);
      write(context, text.length > 24 ? `${text.slice(0, 23)}…` : text, x + 17, top + LINE * (at + 1) + 1, `400 12px ${FAMILY}`, map.look.text);
    });
    if (shown.length < entries.length) {
      write(context, `and ${entries.length - shown.length} more`, x + 17, top + LINE * (shown.length + 1) + 1, `400 12px ${FAMILY}`, map.look.text);
    }
  }

  /** The shapes of the splits that there are, where there are several; gives where the legend goes on. */
  function splits({ look }, context, x, top) {
    const there = data.config.splits.map((name, split) => ({ name, split })).filter(({ split }) => data.sample.splits.includes(split));
    if (there.length < 2) return top;
    there.forEach(({ name, split }, at) => {
      context.fillStyle = look.text;
      context.beginPath();
      repviz.pointPath(context, split, x + 5, top + LINE * at, 4.5);
      context.fill();
      write(context, name, x + 17, top + LINE * at + 4, `400 12px ${FAMILY}`, look.text);
    });
    return top + LINE * there.length + 6;
  }

  /** What the colours say, as a title and entries of colour and text. */
  function meaning({ coloring, look: { colors, visible } }) {
    const { legend: said, byLabel } = coloring;
    if (byLabel || said.kind === "classes") {
      const labels = [...data.sample.members.keys()].filter((label) => !byLabel || visible(label)).sort((a, b) => (a < 0) - (b < 0) || a - b);
      return { title: byLabel ? "Class" : said.title, entries: labels.map((label) => ({ color: colors.at(label), text: repviz.nameOf(label) })) };
    }
    const title = said.epoch === null ? said.title : `${said.title}, epoch ${said.epoch}`;
    if (said.kind === "entries") return { title, entries: said.entries.map(({ at, text }) => ({ color: colors[at], text })) };
    const steps = colors.length - 1;
    const entries = Array.from({ length: SWATCHES }, (_, at) => at / (SWATCHES - 1)).reverse().map((share) => ({
      color: colors[Math.min(steps - 1, Math.floor(share * steps))],
      text: String(Number((said.low + share * (said.high - said.low)).toPrecision(3))),
    }));
    if (said.missing) entries.push({ color: colors[steps], text: "not known" });
    return { title, entries };
  }

  repviz.offer({ mapMenu, nameMenu });
})();
