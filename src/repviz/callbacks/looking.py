"""One look at the network: a snapshot, and every diagnostic that is due on it. The same while training and offline."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.data.datamodule import EmbeddingDataModule
from repviz.model.classifier import EmbeddingClassifier
from repviz.snapshot import SPLIT_NAMES, Rows, Sample, Snapshot, capture, observing


def look(
    module: EmbeddingClassifier,
    sample: Sample,
    whole: Mapping[str, Rows],
    due: Sequence[DiagnosticCallback],
    run_dir: Path,
    *,
    epoch: int,
    step: int,
) -> int:
    """Run the sample through the network once and let all of ``due`` look at it; gives how many did so with success."""
    with observing(module):
        try:
            activations, logits = capture(module, module.sites(), sample.inputs)
        except Exception as error:  # whatever looking does, training is never the victim
            for callback in due:
                callback.failed(error, run_dir, epoch)
            return 0
        snapshot = Snapshot(epoch, step, sample, activations, logits, module, module.criterion, whole)
        return sum([callback.look(snapshot, run_dir) for callback in due])


def whole_splits(data: EmbeddingDataModule) -> dict[str, Rows]:
    """The whole train, val and excluded rows, as far as there are such, scaled."""
    found = {name: data.rows(name) for name in SPLIT_NAMES if name in data.arrays.splits}
    return {name: Rows(rows.inputs, rows.labels) for name, rows in found.items()}
