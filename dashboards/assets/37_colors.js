// What the colours of the points say: class, a class that something says, a yes or no, or a number on a scale.
(() => {
  const { state, data, on, emit } = repviz;
  const LOW_SHARE = 0.02; // of the values beyond each end of a scale, where no natural ends are known
  const KNOWN = { correct: ["correct", "wrong"] };
  let plain = null; // the same object as long as it says the same: who draws compares
  let last = { key: null, coloring: null }; // arrays of a million points are not made again at every redraw

  /** The colours of an epoch as { indices, palette(look), byLabel, legend, note }; what cannot be had is said in `note`. */
  async function coloringAt(epoch) {
    const [kind, name] = split(state.color);
    if (kind === null) return byClass();
    if (kind === "sample" && data.sample.columns.includes(name)) return colored(await repviz.columns(), kind, name);
    if (kind === "sample") return byClass(`sample.h5 has no column ${name}`);
    const block = await repviz.valuesAt(kind, epoch);
    if (block === null) return byClass(`this run has no ${kind} yet, so that ${title(name)} is not known`);
    if (!block.values[name]) return byClass(`${kind} of epoch ${block.epoch} has no ${title(name)}`);
    return colored(block, kind, name);
  }

  function split(color) {
    const dot = color.indexOf(".");
    return dot < 0 ? [null, null] : [color.slice(0, dot), color.slice(dot + 1)];
  }

  const title = (name) => name.replaceAll("_", " ");

  function byClass(note = null) {
    if (plain?.note !== note || plain.indices !== data.sample.colors) {
      plain = { indices: data.sample.colors, palette: classPalette, byLabel: true, legend: null, note };
    }
    return plain;
  }

  const classPalette = (look) => [...(data.manifest.colors ?? []), look.no_class];

  function colored(block, kind, name) {
    const { n } = data.sample;
    if (block.n !== n) return byClass(`${kind} is of ${block.n} points, sample.h5 has ${n}: they do not belong together`);
    const key = [data.manifest.run, kind, name, block.epoch, data.manifest.artifacts[kind]?.versions.join()].join("/");
    if (last.key !== key || last.block !== block) last = { key, block, coloring: made(block, kind, name) };
    return last.coloring;
  }

  function made(block, kind, name) {
    const { array, units, title: long } = block.values[name];
    const said = { title: title(name), long, epoch: kind === "sample" ? null : block.epoch, units };
    if (units === "index") return classes(array, said);
    return isYesOrNo(array) ? yesOrNo(array, name, said) : scale(array, kind, name, said);
  }

  const isYesOrNo = (array) => array.every((value) => value === 0 || value === 1 || Number.isNaN(value));

  function classes(array, said) {
    const none = data.manifest.colors.length;
    const indices = array.map((value) => (value >= 0 && value < none ? value : none));
    const note = `coloured by ${said.title}; the list of classes filters by label`;
    return { indices, palette: classPalette, byLabel: false, legend: { ...said, kind: "classes" }, note };
  }

  function yesOrNo(array, name, said) {
    const indices = array.map((value) => (value === 1 ? 0 : value === 0 ? 1 : 2));
    const counts = [0, 0, 0];
    for (const index of indices) counts[index]++;
    const names = [...(KNOWN[name] ?? ["1", "0"]), "not known"];
    const palette = (look) => [look.yes, look.no, look.no_class];
    const entries = names.map((text, at) => ({ text, at, count: counts[at] })).filter(({ count }) => count);
    return { indices, palette, byLabel: false, legend: { ...said, kind: "entries", entries }, note: null };
  }

  function scale(array, kind, name, said) {
    const steps = repviz.look().scale.length;
    const [low, high] = ends(array, kind, name);
    const over = array.some((value) => value > high);
    const under = array.some((value) => value < low);
    let missing = 0;
    const indices = array.map((value) => {
      if (!Number.isFinite(value)) return missing++, steps;
      return Math.floor(Math.min(0.9999, Math.max(0, (value - low) / (high - low || 1))) * steps);
    });
    const palette = (look) => [...look.scale, look.no_class];
    return { indices, palette, byLabel: false, legend: { ...said, kind: "scale", low, high, under, over, missing }, note: null };
  }

  /** Ends of a scale: natural ones, the same at every epoch, where they are known; else nearly all values of the epoch. */
  function ends(array, kind, name) {
    if (kind === "prediction" && name === "confidence") return [0, 1];
    const guess = Math.log(data.manifest.classes?.length ?? 1); // the loss of one who only guesses
    if (kind === "prediction" && name === "loss" && guess > 0) return [0, 2 * guess];
    const sorted = array.filter(Number.isFinite).sort();
    if (!sorted.length) return [0, 1];
    return [sorted[Math.floor(LOW_SHARE * (sorted.length - 1))], sorted[Math.ceil((1 - LOW_SHARE) * (sorted.length - 1))]];
  }

  function showColoring(coloring) {
    if (repviz.coloring === coloring) return;
    repviz.coloring = coloring;
    emit("colors");
  }

  // --- what can be chosen ---

  /** Choices for the list of Mantine, in groups. What a run does not have is there and cannot be chosen. */
  function colorChoices() {
    const there = data.manifest.values ?? {};
    const item = (kind) => ({ name }) => ({ value: `${kind}.${name}`, label: title(name) });
    const groups = [{ group: "label", items: [{ value: "class", label: "class" }] }];
    if (!there.prediction) {
      const lacking = ["predicted", "correct", "confidence", "loss"];
      const items = lacking.map((name) => ({ value: `prediction.${name}`, label: title(name), disabled: true }));
      groups.push({ group: "prediction: none in this run", items });
    }
    const kinds = Object.keys(there).sort((a, b) => (b === "prediction") - (a === "prediction") || a.localeCompare(b));
    for (const kind of kinds) groups.push({ group: title(kind), items: there[kind].map(item(kind)) });
    const columns = data.sample?.columns ?? [];
    if (columns.length) groups.push({ group: "tabular column", items: columns.map((name) => item("sample")({ name })) });
    const known = groups.some(({ items }) => items.some(({ value }) => value === state.color));
    if (!known) groups.push({ group: "not in this run", items: [{ value: state.color, label: state.color, disabled: true }] });
    return groups;
  }

  function drawChoices() {
    if (data.manifest && data.sample) repviz.mirror("color", { data: colorChoices(), value: state.color });
  }

  on("manifest", drawChoices);
  on("sample", drawChoices);
  on("state", (changed) => changed.has("color") && drawChoices());

  repviz.offer({ coloringAt, byClass, showColoring, coloring: null, titleOf: title });
})();
