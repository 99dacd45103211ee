"""Malformed data, as whoever types ``repviz fit`` meets it: three lines at most, exit code 2, nothing left behind."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from repviz.data.converting import convert
from tests.data import hostile_pickles
from tests.data.folder_samples import folder_of
from tests.data.npz_samples import save, save_with_member, tiny_arrays
from tests.data.pickled_tables import write_tables
from tests.data.test_bad_folder import CONTENTS as FOLDER_CONTENTS
from tests.data.test_bad_folder import DAMAGES, put
from tests.data.test_bad_pickles import BAD as TABLES
from tests.data.test_npz_bad_input import CONTENTS, FILES, MEMBERS
from tests.training.conftest import SMALL, _one_thread  # noqa: F401
from tests.training.test_errors import mistake


def npz_cases() -> dict[str, Callable[[Path], Path]]:
    """By what is wrong: makes an .npz file that is so; only those that are wrong for training."""

    def with_arrays(change: dict) -> Callable[[Path], Path]:
        arrays = {name: array for name, array in (tiny_arrays() | change).items() if array is not None}
        return lambda folder: save(folder / "data.npz", arrays)

    def with_content(content: Callable[[], bytes]) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            (folder / "data.npz").write_bytes(content())
            return folder / "data.npz"

        return write

    def with_member(member: bytes) -> Callable[[Path], Path]:
        return lambda folder: save_with_member(folder / "data.npz", "X_train_embed", member)

    wrong = {f"{i}: {key} {found}": with_arrays(c) for i, (c, p, key, found, _) in enumerate(CONTENTS) if p == "fit"}
    wrong |= {f"npz, {name}": with_content(content) for name, content, *_ in FILES}
    return wrong | {f"member, {name}": with_member(member) for name, member, *_ in MEMBERS}


def folder_cases() -> dict[str, Callable[[Path], Path]]:
    """The same of folders of arrays."""

    def damaged(damage: Callable[[Path], object]) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            made = folder_of(folder)
            damage(made)
            return made

        return write

    def holding(key: str, content: object) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            made = folder_of(folder, record=False)
            put(made, key, content)
            return made

        return write

    wrong = {f"folder, {key} {found}": damaged(damage) for damage, key, found, _ in DAMAGES}
    return wrong | {f"arrays, {key} {found}": holding(key, content) for key, content, found, _ in FOLDER_CONTENTS}


def table_cases() -> dict[str, Callable[[Path], Path]]:
    """The same of pickled tables, hostile ones among them."""

    def broken(write: Callable[[Path], object]) -> Callable[[Path], Path]:
        return lambda folder: (write(folder), folder)[1]

    def hostile(content: bytes) -> Callable[[Path], Path]:
        def write(folder: Path) -> None:
            write_tables(folder)
            (folder / "df_train.pkl").write_bytes(content)

        return broken(write)

    wrong = {f"table, {name}": broken(write) for name, (write, _) in TABLES.items()}
    some = hostile_pickles.corpus(Path("/nonexistent/canary"))
    return wrong | {f"pickle, {name}": hostile(content) for name, (content, _) in list(some.items())[::6]}


CASES = npz_cases() | folder_cases() | table_cases()


def test_there_are_a_hundred_and_what_they_are_made_from_is_taken(tmp_path):
    assert len(CASES) >= 100
    assert convert(save(tmp_path / "data.npz", tiny_arrays()), f"{tmp_path / 'folder'}/").is_dir()


def test_each_is_three_lines_and_exit_code_2(tmp_path, capsys, times):
    found = []
    for name in random.Random(0).sample(sorted(CASES), times(8, len(CASES))):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        path, runs = CASES[name](folder), tmp_path / "runs"
        arguments = ["fit", "--data.path", str(path), "--runs-dir", str(runs), *SMALL, "--trainer.max_epochs", "1"]
        try:
            message = mistake(arguments, capsys)
        except (Exception, pytest.fail.Exception) as error:
            found.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
            continue
        if len(message.strip().splitlines()) > 3 or str(folder) not in message or "trust" in message:
            found.append(f"{name}: {message}")
        assert not runs.exists(), name
    assert not found, "\n".join(found)
