"""The dashboard serves only what is under the runs folder: attempts to leave it on every route, callback and parameter.

The secret lies beside the runs folder as text, as every file of a run, and as HDF5 that a file inside points to.
"""

import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import h5py
import numpy as np
import pytest
from werkzeug.test import Client

from repviz.dashboards.app import create_app
from repviz.dashboards.drawing import Pictures
from repviz.store.artifacts import artifact_path, write_error
from repviz.store.metrics_table import write_metrics
from repviz.store.results_table import write_result
from repviz.store.sample_file import read_sample, write_sample
from tests.conftest import ROOT
from tests.dashboards.synthetic_run import SyntheticRun
from tests.store.sealing import seal_anew

SECRET = "only-for-the-owner-8f1d"
RUN = "20260101_120000"
LOG = "background.log"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """``runs`` with a run of everything, beside it the secret."""
    top = tmp_path_factory.mktemp("home")
    whole_run(top / "runs" / RUN)
    outside = whole_run(top / "outside", SECRET)
    outside.say("finished", data={"path": SECRET}, error=SECRET)
    (top / "secret.txt").write_text(SECRET)
    return top


def whole_run(path: Path, text: str = "nothing special") -> SyntheticRun:
    """A run with every kind of file, whose names and texts are ``text``."""
    run = SyntheticRun(path, n=40, classes=("a", text), kinds=("projection", "prediction"))
    run.write_epoch(0)
    (path / "config.yaml").write_text(f"note: {text}\n")
    (path / LOG).write_text(f"{text}\n")
    write_error(path, "probe", 0, ValueError(text), text)
    write_result(path, text, {"val_accuracy": 0.5, "val_f1_macro": 0.5, "val_f1_confidence": 0.5})
    write_metrics(path, [{**run.rows[0], text: 1.0}])
    write_sample(path, read_sample(path).assign(text=("sample", np.array([text] * run.n))))
    run.say("finished")
    return run


@pytest.fixture(scope="module")
def app(folder):
    return create_app(folder / "runs")


def targets(folder: Path) -> list[str]:
    """Places outside: what an attempt may name to get there."""
    climbing = ["../secret.txt", "../outside", "../../etc/passwd", f"{RUN}/../../secret.txt", "..", ".", "../runs/.."]
    absolute = [str(folder / "secret.txt"), str(folder / "outside"), "/etc/passwd", f"file://{folder}/secret.txt", "//"]
    absolute += ["http://[", "//[x"]
    odd = ["..\\secret.txt", "....//secret.txt", "..;/secret.txt", "..%2fsecret.txt", "%2e%2e/outside", "~", "$HOME"]
    odd += ["\uff0e\uff0e\u2215secret.txt", "..\u2044outside", "\u202e..", "..\x00", f"{RUN}\x00/../.."]
    odd += ["\xff..", "\r\nX: y", "\ufeff..", "e\u0301", "\x7f"]
    injected = ["{{7*7}}", "${7*7}", "%s%n", "'; DROP TABLE runs--", "$(cat ../secret.txt)", "`id`", "__class__", "*"]
    injected += ["[0-9]*", "?", "<script>", "{0.__class__}", "run.json", "CON", "..." * 5000, "9" * 4000, "-1", "1e9"]
    injected += ["NaN", "null", "[]", "0x10", "1_0", "٣", "²", " ", "", ",", ",,,,", "1," * 600, "-0", "99999999999"]
    return [*climbing, *absolute, *odd, *injected]


def encodings(text: str) -> list[str]:
    """The text in an address: encoded once, twice, and as it is where that is an address at all."""
    once = quote(text, safe="")
    return list(dict.fromkeys([once, quote(once, safe=""), quote(text, safe="/.%;\\")]))


def addresses(app, folder: Path) -> Iterator[str]:
    """Every argument of every route, every parameter of every route, and addresses of no route."""
    right = {"run": RUN, "other": RUN, "method": "pca", "kind": "projection", "name": "probe", "wanted": "0"}
    right |= {"epoch": "0", "row": "0", "filename": "20_state.js", "package_name": "dash", "fingerprinted_path": "x.js"}
    options = {option for picture in Pictures().known.values() for option in picture.options}
    parameters = [*PARAMETERS, *sorted(options)]
    for rule in app.server.url_map.iter_rules():
        if "GET" not in rule.methods:
            continue
        parts = re.split(r"<(?:\w+:)?(\w+)>", rule.rule)
        for place in range(1, len(parts), 2):
            for target in targets(folder):
                for written in encodings(target):
                    filled = [right.get(p, "x") if i % 2 else p for i, p in enumerate(parts)]
                    filled[place] = written
                    yield "".join(filled)
        whole = "".join(right.get(part, "x") if i % 2 else part for i, part in enumerate(parts))
        for parameter in parameters:
            others = "" if parameter == "runs" else f"runs={RUN}&"
            yield from (f"{whole}?{others}{parameter}={quote(target, safe='')}" for target in targets(folder))
    for target in targets(folder):
        for before in ("/", "//", "/assets/", "/assets/../", "/data/", "/data/runs/", "/static/", "/%2e%2e/"):
            yield from (before + written for written in encodings(target))


PARAMETERS = [
    *("runs", "log", "theme", "only", "text", "layer", "method", "classes", "selection", "run", "epoch", "page"),
    *("since", "from"),
]


def test_every_parameter_that_the_server_reads_is_among_the_attempts():
    sources = "".join(path.read_text() for path in (ROOT / "dashboards").rglob("*.py"))
    read = set(re.findall(r'(?:request\.args|arguments)(?:\.get\(|\[|, )"(\w+)"', sources))
    assert {"runs", "only", "layer"} <= read <= {*PARAMETERS}
    assert "request.values" not in sources


def bodies(folder: Path) -> Iterator[bytes]:
    """For ``/_dash-update-component``: callbacks of all kinds of values, and what is no such request."""
    values = [*targets(folder), None, True, -1, 0, 1.5, 1e308, 10**400, [], {}, [[]], {"a": {"b": []}}, "0"]
    whole = {"output": "app-config.data", "outputs": {"id": "app-config", "property": "data"}, "inputs": []}
    for key in whole:
        yield from (json.dumps(whole | {key: value}).encode() for value in values)
    yield from (json.dumps(value).encode() for value in values)
    yield from (b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"output": NaN}', b"\x00" * 1000, b'{"a":1e999999}')
    yield b'{"output": "' + b"x" * 900_000 + b'"}'


def asked(client: Client, address: str):
    """The answer to an address as a server's front hands it on: not tidied up, as clients do it."""
    path, _, query = address.partition("?")
    info = unquote_to_bytes(path).decode("latin-1")
    return client.open("/", query_string=query, environ_overrides={"PATH_INFO": info, "REQUEST_URI": address})


def wrong_with(answer) -> str | None:
    """What an answer must not be; None where it is none of that."""
    text = answer.get_data().decode("utf-8", "replace")
    found = [
        mark for mark in (SECRET, "Traceback", "root:x:0", 'File "', "werkzeug") if mark in text + str(answer.headers)
    ]
    if answer.status_code >= 500 or found:
        return f"{answer.status_code} {found} {text[:300]}"
    return None


def state_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything in a folder: mode, time of the last change in ns, content."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        seen = path.stat()
        found[str(path)] = seen.st_mode, seen.st_mtime_ns, b"" if path.is_dir() else path.read_bytes()
    return found


def test_nothing_leaves_by_any_address_and_nothing_is_written(app, folder, times):
    clients = [app.server.test_client(), create_app(folder / "runs").server.test_client()]
    known = list(dict.fromkeys(addresses(app, folder)))
    assert len(known) > 5_000
    chosen = random.Random(0).sample(known, times(500, 10_000))
    before = state_of(folder)
    answers = ((address, wrong_with(asked(clients[i % 2], address))) for i, address in enumerate(chosen))
    assert not (found := [f"{address[:200]}: {wrong}" for address, wrong in answers if wrong]), "\n".join(found)
    assert state_of(folder) == before


def selections(folder: Path) -> Iterator[bytes]:
    """Bodies for what draws figures: the places outside, and sets of rows that are too large or are none."""
    yield from (text.encode("utf-8", "surrogateescape") for text in targets(folder))
    yield from (b"", b"\xff\xfe", b"r\xff", b"b\xc3\x28", b"\x00" * 1000, b"r" + b"\xd9\xa3", b"{", b"[" * 100_000)
    yield from (json.dumps(list(range(200_000))).encode(), ",".join(map(str, range(100_000))).encode())
    yield from (b"r" + b".".join([b"0"] * 200_000), b"b" + b"_" * 600_000, b"b" + b"A" * 600_000, b"b====", b"ba")
    yield from (b"rzzzzzzzzz", b"rzzzzzzzzz-zzzzzzzzz", b"r0-zzzzz", b"r0-2dqcu", b"r" + b"9" * 5_000, b"9" * 4_300)
    yield from (b"r-1", b"-1", b"r1--1", b"r-1-1", b"r1-", b"[-1]", b"[1, 1, 1]", b"1,1,1", b"r0.0.", b"r1e9", b"NaN")
    yield b"r" + b"0" * 1_000_001


def test_nothing_leaves_by_the_selection_of_a_figure(app, folder):
    client, before = app.server.test_client(), state_of(folder)
    taking = [rule.rule for rule in app.server.url_map.iter_rules() if {"GET", "POST"} <= rule.methods]
    assert len(taking) >= 2
    codes = set()
    for rule in taking:
        address = rule.replace("<run>", RUN).replace("<name>", "prediction").replace("<int:epoch>", "0")
        assert "<" not in address
        for body in selections(folder):
            answer = client.post(address, data=body)
            codes.add(answer.status_code)
            assert wrong_with(answer) is None, (address, body[:100])
    assert codes == {200, 404, 413}, "some are drawn, the others refused"
    assert state_of(folder) == before


def test_nothing_leaves_by_any_callback(app, folder):
    client, send = app.server.test_client(), {"method": "POST", "content_type": "application/json"}
    for body in bodies(folder):
        answer = client.open("/_dash-update-component", data=body, **send)
        assert (answer.status_code, wrong_with(answer)) == (400, None), body[:300]


HEADERS = (
    *("Host", "Origin", "Referer", "Cookie", "Accept", "Accept-Encoding", "If-None-Match", "If-Modified-Since"),
    *("Range", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Original-URL", "Content-Type", "Content-Length"),
)


@pytest.mark.parametrize("password", [None, "open sesame"])
def test_nothing_leaves_by_a_header_or_before_the_password(folder, password, times):
    server = create_app(folder / "runs", password=password).server
    texts = [text for text in targets(folder) if "\r" not in text and text.isascii()]
    tried = [(name, text, path) for name in HEADERS for text in texts for path in ("/", f"/data/runs/{RUN}/log")]
    for name, text, path in random.Random(2).sample(tried, times(60, len(tried))):
        header = f"repviz_session={text}" if name == "Cookie" else text
        answer = server.test_client().get(path, headers={name: header})
        assert wrong_with(answer) is None, (name, text)
        assert password is None or answer.status_code != 200, (name, text)
        sent = server.test_client().post(f"/login?{quote(text, safe='')}", data={"password": text})
        assert wrong_with(sent) is None, text


# --- links out of the folder ---

LINKED = {
    "": ["manifest", "log", "sample"],
    "run.json": ["manifest", "log"],
    "config.yaml": ["log"],
    "metrics.csv": ["metrics", "manifest", "curves"],
    "results.csv": ["log", "curves"],
    LOG: ["log"],
    "sample.h5": ["sample/0", "rows/0", "search?text=owner", "columns"],
    "artifacts": ["manifest", "figures/prediction/0", "values/prediction/0", "prediction/0"],
    "artifacts/prediction": ["figures/prediction/0", "numbers/prediction/0", "values/prediction/0", "prediction/0"],
    "artifacts/prediction/epoch_000000.h5": ["figures/prediction/0", "numbers/prediction/0"],
    "artifacts/probe": ["manifest", "log"],
    "artifacts/probe/epoch_000000.error.json": ["manifest", "log"],
}
"""Files and folders of a run, and what would show them."""


def shown(client: Client, run: Path, whats: list[str]) -> str:
    answers = [client.get(f"/data/runs/{run.name}/{what}") for what in whats]
    answers += [client.get("/data/runs"), client.get("/data/table"), client.get(f"/data/compare?runs={run.name}")]
    for answer in answers:
        assert answer.status_code < 500
    return b"\n".join(answer.get_data() for answer in answers).decode("utf-8", "replace")


@pytest.mark.parametrize("way", ["to it", "by two links", "relative"])
def test_links_out_of_the_folder_show_nothing(app, folder, way):
    client, run = app.server.test_client(), folder / "runs" / f"linked_{way[:2]}"
    for name in LINKED:
        shutil.copytree(folder / "runs" / RUN, run)
        shutil.copytree(folder / "outside", folder / "elsewhere")
        inside, outside = run / name, folder / "elsewhere" / name
        target = outside
        os.rename(inside, folder / "away")
        if way == "by two links":
            target = folder / "runs" / "stone"
            os.symlink(outside, target)
        os.symlink(os.path.relpath(target, inside.parent) if way == "relative" else target, inside)
        assert SECRET not in shown(client, run, LINKED[name]), name
        # The same content in the folder is shown: what is looked at above is where it would be.
        os.unlink(inside)
        os.rename(outside, inside)
        assert SECRET in shown(client, run, LINKED[name]), name
        (folder / "runs" / "stone").unlink(missing_ok=True)
        for left in (run, folder / "away", folder / "elsewhere"):
            left.unlink() if left.is_file() else shutil.rmtree(left, ignore_errors=True)


# --- HDF5 files that point out of themselves ---


def pointing(path: Path, way: str, secret: Path) -> None:
    """A file like the artifact at ``path``, sealed as ours are, whose ``loss`` lies elsewhere."""
    with h5py.File(path, "r+") as file:
        scale = file["sample"]
        size = scale.shape
        del file["loss"]
        if way == "raw bytes":
            file.create_dataset("loss", size, "S1", external=[(str(secret), 0, size[0])])
        elif way == "link to a file":
            file["loss"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "loss")
        else:
            layout = h5py.VirtualLayout(size, "S1")
            layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "loss", size)
            file.create_virtual_dataset("loss", layout)
        if way != "link to a file":
            file["loss"].dims[0].attach_scale(scale)
    seal_anew(path)


@pytest.mark.parametrize("way", ["raw bytes", "link to a file", "virtual dataset"])
def test_hdf5_files_cannot_point_elsewhere(tmp_path, way):
    run = whole_run(tmp_path / "runs" / RUN)
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET.ljust(run.n))
    with h5py.File(secret.with_suffix(".h5"), "w") as file:
        file["loss"] = np.frombuffer(SECRET.ljust(run.n).encode(), "S1")
        file["sample"] = np.zeros(run.n)
        file["sample"].make_scale("sample")
        file["loss"].dims[0].attach_scale(file["sample"])
    path = artifact_path(run.path, "prediction", 0)
    pointing(path, way, secret)
    client = create_app(tmp_path / "runs").server.test_client()
    for what in ("numbers/prediction/0?only=loss", "values/prediction/0", "figures/prediction/0", "manifest"):
        answer = client.get(f"/data/runs/{RUN}/{what}")
        assert answer.status_code in ((200, 304) if what == "manifest" else (422,)), (what, answer.get_data()[:300])
    assert "points to another" in answer_of(client)


def answer_of(client: Client) -> str:
    return client.get(f"/data/runs/{RUN}/numbers/prediction/0").json["message"]
