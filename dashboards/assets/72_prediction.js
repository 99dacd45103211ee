// The prediction of the epoch on the overview: what is asked of the server, and which samples a click selects.
(() => {
  const { state, data, on, mirror, element } = repviz;
  const VAL = 1; // code of the split
  const PATIENCE_MS = 120; // whoever runs through the epochs does not want the matrix of each of them
  let asked = "";
  let timer = 0;

  const epochShown = () => repviz.nearest(data.manifest?.artifacts.prediction?.epochs ?? [], repviz.currentEpoch());

  function ask() {
    if (state.page !== "overview" || !data.manifest) return;
    const epoch = epochShown();
    sayWhyNone(epoch);
    if (epoch === null) return;
    const { epochs, versions } = data.manifest.artifacts.prediction;
    const request = { run: data.manifest.run, epoch, version: versions[epochs.indexOf(epoch)], theme: state.theme };
    clearTimeout(timer);
    if (JSON.stringify(request) === asked) return;
    timer = setTimeout(() => {
      asked = JSON.stringify(request);
      mirror("prediction-request", { data: request });
    }, PATIENCE_MS);
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

  /** After Dash has given the matrix a new figure: a click on a cell selects. */
  function predictionDrawn() {
    requestAnimationFrame(() => {
      const graph = document.querySelector("#confusion .js-plotly-plot");
      if (!graph?.on) return setTimeout(predictionDrawn, 100); // plotly.js is still being loaded
      if (graph.dataset.repviz) return;
      graph.dataset.repviz = "1";
      graph.on("plotly_click", ({ points: [{ pointIndex, customdata }] }) => {
        const [label, predicted] = pointIndex.map((at) => graph.layout.meta.classes[at]);
        selectCell(label, predicted, customdata);
      });
    });
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
    document.getElementById("per-class").addEventListener("click", ({ target }) => {
      const button = target.closest("button[data-class]");
      if (button) repviz.select(repviz.rowsWhere((row, label) => label === Number(button.dataset.class)));
    });
  }

  on("state", (changed) => ["page", "epoch", "follow", "theme", "run"].some((key) => changed.has(key)) && ask());
  on("manifest", ask);

  repviz.offer({ predictionDrawn, mountPrediction });
})();
