"""Checkpoints written as safely as artifacts, and read as data."""

from collections.abc import Callable
from contextlib import nullcontext
from io import FileIO
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from repviz.atomic import make_folder, replacing
from repviz.store.checkpoint_file import reading_checkpoint


class DurableCheckpointIO(TorchCheckpointIO):
    """Stages beside the target, flushes and renames.

    Lightning's own stages in the temporary folder: where that is another file system, the move is a copy that a kill
    leaves half done, and a full temporary folder stops training although the target has room.
    """

    def __init__(self, on_failure: Callable[[OSError], None] | None = None) -> None:
        """Args: who is told, instead of an error being raised, that the disk does not take a checkpoint."""
        super().__init__()
        self.on_failure = on_failure

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write ``checkpoint`` to the local file ``path``."""
        if storage_options is not None:
            raise TypeError(f"{type(self).__name__} writes local files and takes no storage_options")
        target = Path(path)
        try:
            make_folder(target.parent)
            with replacing(target) as temporary, temporary.open("wb", buffering=0) as file:
                _save(checkpoint, _Noting(file))
        except OSError as error:
            if self.on_failure is None:
                raise
            self.on_failure(error)

    def load_checkpoint(self, path: str | Path, *args: Any, weights_only: bool | None = None, **kwargs: Any) -> Any:
        """Read tensors and plain values only: said explicitly, for an environment variable flips the default.

        Raises:
            DamagedFileError: a local file is not what was written.
            UserError: or cannot be read for another reason.
        """
        with reading_checkpoint(Path(path)) if Path(path).is_file() else nullcontext():
            return super().load_checkpoint(path, *args, weights_only=True, **kwargs)


class _Noting:
    """A file that remembers why it could not be written."""

    def __init__(self, file: FileIO) -> None:
        self.file = file
        self.problem: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            rest = memoryview(content).cast("B")
            while rest:
                rest = rest[self.file.write(rest) :]
        except OSError as error:
            self.problem = error
            raise
        return len(content)

    def flush(self) -> None:
        """Nothing is held back."""


def _save(checkpoint: dict[str, Any], file: _Noting) -> None:
    """``torch.save``, which makes an internal error of a full disk, with the system's reason instead."""
    wanted = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(True)  # whatever a script has set: they are compared when it is read
    try:
        torch.save(checkpoint, file)
    except RuntimeError:
        if file.problem is None:
            raise
        raise file.problem from None
    finally:
        torch.serialization.set_crc32_options(wanted)
