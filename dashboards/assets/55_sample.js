// The card of the sample under the mouse: id, text, label. All of it is text from the data, shown and never run.
(() => {
  const { state, data, element } = repviz;
  const PATIENCE_MS = 40; // the mouse flies over many points on its way to one
  const known = new repviz.Kept(2e6);
  let card = null;
  let wanted = null;
  let timer = 0;

  function showSample(row, map) {
    wanted = row;
    repviz.markAll(row);
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const [x, y] = map.screen(map.place.x[row], map.place.y[row]);
      const stage = map.stage.getBoundingClientRect();
      const found = await description(row).catch((error) => ({ problem: error.message }));
      const prediction = await predictionOf(row);
      if (wanted === row) put({ ...found, prediction }, stage.left + x, stage.top + y);
    }, PATIENCE_MS);
  }

  function hideSample() {
    wanted = null;
    clearTimeout(timer);
    repviz.markAll(null);
    if (card) card.hidden = true;
  }

  function description(row) {
    const url = repviz.address(state.run, `sample/${row}`);
    return known.get(`${url}#${data.sample.version}`, url, repviz.json);
  }

  /** What the network says of a row at the epoch; null where nobody has asked it. */
  async function predictionOf(row) {
    const block = await repviz.valuesAt("prediction", repviz.currentEpoch()).catch(() => null);
    const at = (name) => block?.values[name]?.array[row];
    if (at("predicted") === undefined) return null;
    return { epoch: block.epoch, label: at("predicted"), confidence: at("confidence"), loss: at("loss"), correct: at("correct") };
  }

  function put(found, x, y) {
    if (!card) document.body.append((card = element("div", { class: "sample-card", role: "tooltip" })));
    card.replaceChildren(...(found.problem ? [element("p", {}, found.problem)] : content(found)));
    card.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = card;
    const left = x + 18 + width > innerWidth ? x - width - 18 : x + 18;
    card.style.left = `${Math.max(8, left)}px`;
    card.style.top = `${Math.min(Math.max(8, y - height / 2), innerHeight - height - 8)}px`;
  }

  function content({ id, text, label, split, prediction }) {
    const name = element("strong", {}, repviz.nameOf(label));
    return [
      element("div", { class: "sample-label" }, repviz.swatch(label), name, element("span", {}, split)),
      element("div", { class: "sample-id" }, id),
      prediction ? predicted(prediction) : null,
      text ? element("p", { class: "sample-text" }, text) : null,
    ].filter(Boolean);
  }

  function predicted({ epoch, label, confidence, loss, correct }) {
    const verdict = correct === 1 ? "right" : correct === 0 ? "wrong" : "no label to compare";
    const numbers = [`confidence ${confidence.toFixed(2)}`, Number.isFinite(loss) ? `loss ${loss.toFixed(2)}` : null];
    const says = element("div", { class: "sample-label" }, repviz.swatch(label), `predicted ${repviz.nameOf(label)}`, element("span", {}, verdict));
    return element("div", { class: "sample-prediction" }, says, `${numbers.filter(Boolean).join(" · ")} · epoch ${epoch}`);
  }

  repviz.on("state", hideSample); // its point moves on, or is no longer on the page

  repviz.offer({ showSample, hideSample, description });
})();
