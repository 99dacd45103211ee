"""What is known of every point of a run's sample, as columns."""

import numpy as np

from repviz.exports.pictures import nearest
from repviz.run import Run
from repviz.theme import SPLIT_NAMES

NO_CLASS = "no class"


def point_columns(run: Run, epoch: int) -> tuple[dict[str, np.ndarray], int | None]:
    """Columns by name, a value per point; and the epoch of the predictions, None where there are none.

    ``index``, ``id``, ``label``, ``split``, ``text`` where known; of the epoch with predictions nearest to ``epoch``:
    ``predicted``, ``confidence``, ``correct``; then the tabular columns under their names.
    """
    sample = run.sample()
    classes = np.array([*run.info().get("classes", []), NO_CLASS], dtype=str)
    labels = sample["label"].values.astype(int)
    columns = {"index": sample["index"].values}
    if "id" in sample:
        columns["id"] = sample["id"].values.astype(str)
    columns |= {"label": classes[labels], "split": np.array(SPLIT_NAMES)[sample["split"].values.astype(int)]}
    predicted_at = None
    if epochs := run.epochs("prediction"):
        predicted_at = nearest(epochs, epoch)
        columns |= _predictions(run, predicted_at, classes)
    if "text" in sample:
        columns["text"] = sample["text"].values.astype(str)
    if "tabular" in sample:
        for name in (str(name) for name in sample["column"].values):
            columns[f"tabular_{name}" if name in columns else name] = sample["tabular"].sel(column=name).values
    return columns, predicted_at


def _predictions(run: Run, epoch: int, classes: np.ndarray) -> dict[str, np.ndarray]:
    dataset = run.read("prediction", epoch)
    found = {}
    if "logits" in dataset:
        found["predicted"] = classes[dataset["logits"].transpose("sample", "class").values.argmax(axis=1)]
    return found | {name: dataset[name].values for name in ("confidence", "correct") if name in dataset}
