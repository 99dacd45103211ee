"""Checkpoints written as safely as artifacts, and read as data."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from repviz.atomic import replacing


class DurableCheckpointIO(TorchCheckpointIO):
    """Stages beside the target, flushes and renames.

    Lightning's own stages in the temporary folder: where that is another file system, the move is a copy that a kill
    leaves half done, and a full temporary folder stops training although the target has room.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write ``checkpoint`` to the local file ``path``."""
        if storage_options is not None:
            raise TypeError(f"{type(self).__name__} writes local files and takes no storage_options")
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(self, path: str | Path, *args: Any, weights_only: bool | None = None, **kwargs: Any) -> Any:
        """Read tensors and plain values only: said explicitly, for an environment variable flips the default."""
        return super().load_checkpoint(path, *args, weights_only=True, **kwargs)
