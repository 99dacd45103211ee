// The prediction of the epoch on the overview: confusion matrix, classes and calibration, and what a click there selects.
(() => {
  const { state, data, on, element } = repviz;
  const VAL = 1; // code of the split
  const PATIENCE_MS = 120; // whoever runs through the epochs does not want the matrix of each of them
  const MOST_IDLE_MS = 400;
  const MAX_BYTES = 32e6;
  const HEADS = ["class", "precision", "recall", "F1", "rows"];
  const answers = new repviz.Kept(MAX_BYTES);
  const charts = {};
  let asked = "";
  let timer = 0;

  const epochShown = () => repviz.nearest(data.manifest?.artifacts.prediction?.epochs ?? [], repviz.currentEpoch());

  function ask() {
    if (state.page !== "overview" || !data.manifest) return;
    const epoch = epochShown();
    sayWhyNone(epoch);
    if (epoch === null) return;
    const { epochs, versions } = data.manifest.artifacts.prediction;
    const url = repviz.address(data.manifest.run, `prediction/${epoch}?theme=${state.theme}`);
    const key = `${url}#${versions[epochs.indexOf(epoch)]}`;
    clearTimeout(timer);
    if (key !== asked) timer = setTimeout(() => show(epoch, url, key), PATIENCE_MS);
  }

  /** It lies below what is seen first, so that is drawn before it. */
  async function show(epoch, url, key) {
    asked = key;
    const [matrix, calibration] = ["confusion", "calibration"].map((name) => document.getElementById(`${name}-title`));
    try {
      const answer = await answers.get(key, url, repviz.json);
      await new Promise((resolve) => requestIdleCallback(resolve, { timeout: MOST_IDLE_MS }));
      if (key !== asked) return;
      document.getElementById("per-class").replaceChildren(tableOf(answer));
      matrix.textContent = answer.confusion.title;
      calibration.textContent = answer.calibration.title;
      for (const [name, chart] of Object.entries(charts)) await chart.show(answer[name].figure);
    } catch (error) {
      if (key !== asked) return;
      document.getElementById("per-class").replaceChildren();
      matrix.textContent = `Prediction of epoch ${epoch}`;
      calibration.textContent = "Calibration";
      for (const chart of Object.values(charts)) chart.say(error.message);
    }
  }

  /** One line per class, each with a button that selects its samples; of many classes, those that are done worst. */
  function tableOf({ classes, n_classes: n }) {
    const count = (number) => number.toLocaleString("en");
    const share = (value) => element("td", {}, value === null ? "–" : value.toFixed(2));
    const lines = classes.map(({ number, name, precision, recall, f1, rows }) =>
      element("tr", {},
        element("th", { scope: "row" }, element("button", { type: "button", title: name, "data-class": number }, name)),
        ...[precision, recall, f1].map(share), element("td", {}, count(rows))));
    const few = `The ${classes.length} of ${count(n)} classes with the lowest F1; the matrix as CSV has all.`;
    return element("table", {}, classes.length < n ? element("caption", {}, few) : null,
      element("thead", {}, element("tr", {}, ...HEADS.map((title) => element("th", { scope: "col" }, title)))),
      element("tbody", {}, ...lines));
  }

  function sayWhyNone(epoch) {
    document.getElementById("prediction").hidden = epoch === null;
    const empty = document.getElementById("prediction-empty");
    empty.hidden = epoch !== null;
    if (epoch !== null) return;
    const waits = data.manifest.state === "running" && (data.manifest.kinds ?? []).includes("prediction");
    const failed = data.manifest.errors.last.findLast((error) => error.kind === "prediction");
    const why = waits ? "The first prediction is being made." : "No confusion matrix, classes and calibration: this run has no prediction. ";
    const code = (text) => element("code", {}, text);
    const how = waits ? [] : ["It is made of the checkpoints by ", code("repviz diagnose --only prediction"), ", in new runs by ", code("--prediction.enabled=true"), "."];
    empty.replaceChildren(element("p", {}, ...(failed ? [`The prediction failed at epoch ${failed.epoch}: ${failed.error}: ${failed.message}`] : [why, ...how])));
  }

  /** Select the points of a cell: those of the val set, which is what the matrix counts. */
  async function selectCell(label, predicted, count) {
    const block = await repviz.valuesAt("prediction", repviz.currentEpoch());
    const says = block?.values.predicted?.array;
    if (!says || says.length !== data.sample.n) return;
    const rows = repviz.rowsWhere((row, own, split) => split === VAL && own === label && says[row] === predicted);
    const cell = `${repviz.nameOf(label)} predicted as ${repviz.nameOf(predicted)}: ${rows.length} of ${count} rows of the cell are in the sample`;
    repviz.select(rows, "replace", cell);
  }

  function mountPrediction() {
    for (const name of ["confusion", "calibration"]) charts[name] = new repviz.Chart(name, false);
    charts.confusion.onClick(({ pointIndex, customdata }, { classes }) => {
      const [label, predicted] = pointIndex.map((at) => classes[at]);
      selectCell(label, predicted, customdata);
    });
    document.getElementById("per-class").addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-class]");
      if (button) repviz.select(repviz.rowsWhere((row, label) => label === Number(button.dataset.class)));
    });
  }

  on("state", (changed) => ["page", "epoch", "follow", "theme", "run"].some((key) => changed.has(key)) && ask());
  on("manifest", ask);

  repviz.offer({ mountPrediction });
})();
