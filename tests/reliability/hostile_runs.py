"""A recorded run, spoilt by a stranger in one file: what would run code, exhaust the machine or be no such file."""

import functools
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch
import yaml

from repviz.store.artifacts import artifact_path, error_path
from tests.store.sealing import seal_anew

EPOCH = 1


class Reduced:
    """Unpickled, it plants the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple:
        return exec, (f"open({str(self.canary)!r}, 'w')",)


class SetState:
    """Unpickled, setting its state plants the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = str(canary)

    def __setstate__(self, state: dict) -> None:
        open(state["canary"], "w").close()


class Calls:
    """Unpickled, it is what a function makes of the arguments."""

    def __init__(self, function: Callable, args: tuple) -> None:
        self.parts = function, args

    def __reduce__(self) -> tuple:
        return self.parts


def spoilers(canary: Path, package: str) -> dict[str, Callable[[Path], None]]:
    """By what is wrong: spoils the run in a folder. ``package`` is a module whose import plants the canary."""
    return (
        {f"checkpoint, {name}": spoil for name, spoil in _checkpoints(canary, package).items()}
        | {f"yaml, {name}": spoil for name, spoil in _configurations(canary, package).items()}
        | {f"hdf5, {name}": spoil for name, spoil in _artifacts(canary).items()}
        | {f"json, {name}": spoil for name, spoil in _facts().items()}
    )


def _checkpoints(canary: Path, package: str) -> dict[str, Callable[[Path], None]]:
    bomb = Reduced(canary)

    def each(change: Callable[[Path], None]) -> Callable[[Path], None]:
        return lambda run: [change(path) for path in (run / "checkpoints").glob("*.ckpt")] and None

    def with_state(change: Callable[[dict], object], **how: bool) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            state = torch.load(path, weights_only=True)
            change(state)
            path.unlink()  # one file has several names
            torch.save(state, path, **how)

        return each(write)

    def with_pickle(path: Path) -> None:
        content = io.BytesIO(path.read_bytes())
        with zipfile.ZipFile(content) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                new.writestr(name, pickle.dumps(bomb) if name.endswith("data.pkl") else old.read(name))

    def with_more_pickles(path: Path) -> None:
        """The archive's own pickle stays; others lie beside it, and tensors' bytes are one."""
        content = io.BytesIO(path.read_bytes())
        with zipfile.ZipFile(content) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                new.writestr(name, pickle.dumps(bomb) if "/data/" in name else old.read(name))
            top = old.namelist()[0].partition("/")[0]
            for name in ("constants.pkl", "code/data.pkl", "a.debug_pkl", ".data/serialization_id"):
                if f"{top}/{name}" not in old.namelist():
                    new.writestr(f"{top}/{name}", pickle.dumps(bomb))

    def tar(path: Path) -> None:
        """The format of torch before 0.2: several pickles in a tar archive."""
        path.unlink()
        with tarfile.open(path, "w") as archive:
            for name in ("pickle", "tensors", "storages", "sys_info"):
                content = pickle.dumps(bomb, 2)
                header = tarfile.TarInfo(name)
                header.size = len(content)
                archive.addfile(header, io.BytesIO(content))

    def bare(call: object, protocol: int = 2) -> Callable[[Path], None]:
        return each(lambda path: path.write_bytes(pickle.dumps(call, protocol)))

    def script(path: Path) -> None:
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))

    def settings(**values: object) -> Callable[[Path], None]:
        return with_state(lambda state: state["hyper_parameters"].update(values))

    return {
        "a bare pickle": each(lambda path: path.write_bytes(pickle.dumps(bomb))),
        "in the weights": with_state(lambda state: state["state_dict"].update(bomb=bomb)),
        "in the settings": settings(dropout=bomb),
        "in a callback": with_state(lambda state: state["callbacks"].update(bomb=bomb)),
        "of old format": with_state(lambda state: state.update(bomb=bomb), _use_new_zipfile_serialization=False),
        "another pickle in the archive": each(with_pickle),
        "a program": each(script),
        "a maker by name": settings(_instantiator=f"{package}.make"),
        "a class by name": settings(_class_path=f"{package}.Make", activation={"class_path": f"{package}.Make"}),
        "a giant": settings(hidden_dims=[2**40]),
        "not a mapping": each(lambda path: torch.save([1], path)),
        "deep in lists and mappings": with_state(lambda state: state.update(loops=[{"a": [({"b": bomb},)]}])),
        "as a key of the weights": with_state(lambda state: state["state_dict"].update({(bomb,): 1})),
        "other pickles beside": each(with_more_pickles),
        "a tar archive": each(tar),
        "a partial function": settings(dropout=functools.partial(exec, f"open({str(canary)!r}, 'w')")),
        "a state that is set": settings(dropout=SetState(canary)),
        "rebuilding with a function of its own": bare(
            Calls(torch._utils._rebuild_wrapper_subclass, (Reduced(canary), torch.float32, (1,), (1,), 0, 0, "cpu", 0))
        ),
        "rebuilding a parameter": settings(dropout=Calls(torch._utils._rebuild_parameter, (bomb, False, {}))),
        "rebuilding by a type": settings(
            dropout=Calls(torch._tensor._rebuild_from_type_v2, (exec, dict, (f"open({str(canary)!r}, 'w')",), {}))
        ),
        "arrays of objects": settings(dropout=np.array([bomb], dtype=object)),
        "a name where a tensor is": each(
            lambda path: path.write_bytes(b"\x80\x02(" + pickle.dumps(bomb, 2)[2:-1] + b"X\x01\x00\x00\x00atQ.")
        ),
    }


def _configurations(canary: Path, package: str) -> dict[str, Callable[[Path], None]]:
    def text(content: str) -> Callable[[Path], None]:
        return lambda run: (run / "config.yaml").write_text(content) and None

    def changed(**blocks: object) -> Callable[[Path], None]:
        def write(run: Path) -> None:
            path = run / "config.yaml"
            path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | blocks))

        return write

    def trusting(run: Path) -> None:
        table = run / "df_train.pkl"
        table.write_bytes(pickle.dumps(Reduced(canary)))
        changed(data={"path": str(table), "trust_pickle": True})(run)

    made = {"class_path": f"{package}.Make", "init_args": {}}
    many = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]\n" for i in range(30))
    return {
        "a call": text(f"data: !!python/object/apply:builtins.open [{canary}, w]\n"),
        "a module": text(f"data: !!python/module:{package}\n"),
        "an object": text(f"data: !!python/object/new:{package}.Make []\n"),
        "aliases of aliases": text(f"data: {{path: x}}\n{many}"),
        "an alias of itself": text("data: &a {path: *a}\n"),
        "deep": text("data: " + "[" * 5_000),
        "a class for the data": changed(data=made),
        "a class for a diagnostic": changed(probe=made, trainer={"callbacks": [made]}),
        "not a block": changed(data=[1], probe=3),
        "a pickle to be trusted": trusting,
    }


def _artifacts(canary: Path) -> dict[str, Callable[[Path], None]]:
    def changed(change: Callable[[h5py.File], object], sealed: bool = True) -> Callable[[Path], None]:
        def write(run: Path) -> None:
            for path in (artifact_path(run, "projection", EPOCH), run / "sample.h5"):
                with h5py.File(path, "r+") as file:
                    change(file)
                if sealed:
                    seal_anew(path)

        return write

    def giant(file: h5py.File) -> None:
        file.create_dataset("huge", (10**12,), "f4", chunks=(1000,))

    pickled = np.void(pickle.dumps(Reduced(canary)))
    return {
        "a pickle inside": changed(lambda file: file.__setitem__("bomb", pickled)),
        "a pickle in an attribute": changed(lambda file: file.attrs.update(_pickle=pickled, dtype="object")),
        "a claim of terabytes": changed(giant),
        "a group": changed(lambda file: file.create_group("group")),
        "a link": changed(lambda file: file.__setitem__("link", h5py.ExternalLink("/etc/passwd", "x"))),
        "attributes of other types": changed(lambda file: file.attrs.update(coordinates=3, format_version=[1, 2])),
        "no seal": changed(lambda file: file.__setitem__("more", "of any length"), sealed=False),
    }


def _facts() -> dict[str, Callable[[Path], None]]:
    def changed(**facts: object) -> Callable[[Path], None]:
        def write(run: Path) -> None:
            path = run / "run.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | facts))

        return write

    def text(content: str) -> Callable[[Path], None]:
        return lambda run: (run / "run.json").write_text(content) and None

    def error(run: Path) -> None:
        path = error_path(run, "probe", EPOCH)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[1, 2]")

    return {
        "deep": text("[" * 100_000),
        "a list": text("[]"),
        "a number too long": text('{"state": "finished", "pid": ' + "9" * 5_000 + "}"),
        "other types": changed(classes=3, layers="x", data=[1]),
        "another process": changed(state="running", pid=-1, heartbeat="never"),
        "an error that is none": error,
    }
