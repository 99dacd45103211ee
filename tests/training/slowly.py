"""Training that leaves the processors to what starts beside it."""

import time

import lightning as L


class Slowly(L.Callback):
    """Rests after each step: epochs last as long as small batches would make them, at little cost."""

    def on_train_batch_end(self, *_: object) -> None:
        time.sleep(0.01)


SLOWLY = ["--trainer.callbacks", f"[{{class_path: {__name__}.{Slowly.__name__}}}]"]
"""Options that add it to ``repviz fit``."""
