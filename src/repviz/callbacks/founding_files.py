"""What a run writes once, when it is opened: a folder that someone removes while it trains gets it again."""

from pathlib import Path

from repviz.atomic import write_bytes
from repviz.store.run_folder import CONFIG_FILE
from repviz.store.sample_file import SAMPLE_FILE

_MOST = 64 << 20
"""Bytes of a file that is kept in memory; a larger one is lost with its folder."""


class FoundingFiles:
    """The configuration and the sample of one run, without which what comes later cannot be read."""

    def __init__(self, run_dir: Path) -> None:
        """Remember what is there, files of up to 64 MiB."""
        paths = (run_dir / name for name in (CONFIG_FILE, SAMPLE_FILE))
        self._contents = {path: path.read_bytes() for path in paths if path.exists() and path.stat().st_size <= _MOST}

    def restore(self) -> None:
        """Write what is not there any more.

        Raises:
            OSError: it cannot be written; also while the folder itself is not there.
        """
        for path, content in self._contents.items():
            if not path.exists():
                write_bytes(path, content)
