"""A callback that says when the first step begins."""

from lightning.pytorch import Callback

SAID = "the first step begins"


class FirstStep(Callback):
    """Prints one line."""

    said = False

    def on_train_batch_start(self, *_: object) -> None:
        """Print it once."""
        if not self.said:
            self.said = True
            print(SAID, flush=True)
