"""Figures and their numbers as a browser gets them: what is drawn, what is kept, what is refused, what is said."""

import base64
import io
import os
import zipfile
from importlib.metadata import EntryPoint

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import xarray as xr
from plotly.subplots import make_subplots
from werkzeug.http import parse_options_header

from repviz.atomic import write_bytes
from repviz.dashboards import drawing
from repviz.dashboards.app import create_app
from repviz.dashboards.asked_view import view_of
from repviz.dashboards.catalog import Catalog, NotThereError
from repviz.dashboards.drawing import Drawer, Pictures, on_page
from repviz.dashboards.figure_routes import download
from repviz.figures import registry
from repviz.figures.registry import Picture
from repviz.figures.view import View
from repviz.store.artifacts import artifact_path, read_artifact, write_error, write_run_artifact
from tests.dashboards.synthetic_diagnostics import KINDS, add_scores, write, write_diagnostics
from tests.dashboards.synthetic_run import SyntheticRun
from tests.dashboards.test_asked_rows import as_bits
from tests.figures.test_trajectory import make as trajectory


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A run with every diagnostic, which tests only look at."""
    made = SyntheticRun(tmp_path_factory.mktemp("runs") / "20260101_120000", n=60)
    for epoch in range(3):
        made.write_epoch(epoch)
        write_diagnostics(made, epoch)
        add_scores(made, epoch)
    return made


@pytest.fixture(scope="module")
def client(complete):
    return create_app(complete.path.parent).server.test_client()


@pytest.fixture(scope="module")
def address(complete):
    return f"/data/runs/{complete.path.name}"


@pytest.fixture
def run(make_run):
    """A run of its own, with probes."""
    made = make_run(epochs=2, n=30)
    for epoch in range(3):
        write_diagnostics(made, epoch, ("probe",))
    return made


@pytest.fixture
def own(run, runs_dir):
    """``own(path)``: what is answered about that run."""
    client = create_app(runs_dir).server.test_client()
    return lambda path: client.get(f"/data/runs/{run.path.name}/{path}")


def values(encoded):
    """An array of a figure's JSON."""
    if isinstance(encoded, dict):
        return np.frombuffer(base64.b64decode(encoded["bdata"]), encoded["dtype"])
    return np.array(encoded)


@pytest.mark.parametrize("name", [*KINDS, "scatter_matrix", "projection"])
def test_every_figure_is_drawn_without_the_title_and_size_that_the_card_has(client, address, name):
    answer = client.get(f"{address}/figures/{name}/2?theme=dark")
    assert answer.status_code == 200
    layout = answer.json["figure"]["layout"]
    assert answer.json["figure"]["data"]
    assert answer.json["epoch"] == 2
    assert "epoch 2" in answer.json["title"]
    assert {"width", "height"}.isdisjoint(layout)
    assert not (layout.get("title") or {}).get("text")
    assert layout["template"]["layout"]["paper_bgcolor"] == "#161a21"


def test_a_selection_is_stressed_whether_it_comes_in_the_address_or_as_the_body(client, address):
    short = client.get(f"{address}/figures/response/2?selection=r3-1.2")
    long = client.post(f"{address}/figures/response/2", data=as_bits([3, 4, 7]))
    assert short.json == long.json
    assert values(short.json["figure"]["data"][0]["selectedpoints"]).tolist() == [3, 4, 7]
    assert "selectedpoints" not in client.get(f"{address}/figures/response/2").json["figure"]["data"][0]


@pytest.mark.parametrize("name", KINDS)
def test_figures_over_epochs_reach_from_the_first_to_the_last(client, address, name):
    answer = client.get(f"{address}/figures/{name}/over-epochs")
    assert answer.status_code == 200
    assert answer.json["epoch"] is None
    epochs = [values(trace["x"]) for trace in answer.json["figure"]["data"]]
    assert {(x.min(), x.max()) for x in epochs} == {(0, 2)}


def test_what_is_of_the_whole_run_stands_at_the_epoch_it_goes_up_to(run, own):
    write_run_artifact(run.path, "trajectory", trajectory(), epoch=2, step=20, version=1)
    manifest = own("manifest").get_json()
    assert manifest["artifacts"]["trajectory"]["epochs"] == [2]
    drawn = own("figures/trajectory/2").get_json()
    assert any(trace["type"] == "contour" for trace in drawn["figure"]["data"])
    assert drawn["subtitle"] == "loss on 100 train points"
    write_bytes(artifact_path(run.path, "trajectory", None), b"damaged")
    assert own("manifest").get_json()["artifacts"]["trajectory"]["epochs"] == [0]
    answer = own("figures/trajectory/0")
    assert answer.status_code >= 400
    assert "run.h5 cannot be read" in answer.get_data(as_text=True)


def test_a_history_reads_only_what_its_figure_needs_and_each_epoch_once(own, run, monkeypatch):
    read = []
    whole = drawing.read_dataset
    monkeypatch.setattr(drawing, "read_dataset", lambda path, names=None: read.append(names) or whole(path, names))
    own("figures/probe/over-epochs")
    assert read == [("accuracy", "f1_macro", "chance", "control_accuracy")] * 3
    write_diagnostics(run, 3, ("probe",))
    assert own("figures/probe/over-epochs").status_code == 200
    assert len(read) == 4


def test_options_and_layers_are_looked_up(client, address):
    surface = client.get(f"{address}/figures/landscape/1?shape=surface").json
    assert {t["type"] for t in surface["figure"]["data"]} >= {"surface"}
    refused = client.get(f"{address}/figures/landscape/1?shape=../x")
    assert refused.status_code == 404
    assert "contour, surface" in refused.json["message"]
    assert client.get(f"{address}/figures/landscape/1?unknown=1").status_code == 200
    one = client.get(f"{address}/figures/probe/over-epochs?layer=logits").json
    assert [t["name"] for t in one["figure"]["data"] if "name" in t] == ["logits", "control: shuffled labels", "chance"]
    other = client.get(f"{address}/figures/probe/over-epochs?layer=nope").json
    assert (other["layer"], len(other["figure"]["data"])) == (None, 9)
    assert client.get(f"{address}/figures/scatter_matrix/1?layer=nope").json["layer"] == "penultimate"


@pytest.mark.parametrize(
    "path",
    [
        *("figures/os/1", "figures/..%2f..%2fx/1", "figures/probe/99", "figures/registry/1"),
        *("figures/scatter_matrix/over-epochs", "numbers/nope/1", "numbers/probe/99", "numbers/nope/over-epochs"),
        *("figures/probe/1?classes=a", "figures/probe/1?selection=1;2", "figures/probe/1?selection=r2o7gg"),
    ],
)
def test_what_is_not_there_is_404(client, address, path):
    answer = client.get(f"{address}/{path}")
    assert answer.status_code == 404
    assert answer.json["problem"] == "missing"


def test_classes_and_selection_reach_the_figure():
    picture = Picture("x", "x", lambda dataset, view: None)
    view = view_of(picture, {"classes": "3,-1", "selection": "r5.1", "theme": "no such"})
    assert (view.classes, view.selection, view.theme) == ((3, -1), (5, 7), "light")
    with pytest.raises(NotThereError, match="not a list"):
        view_of(picture, {"classes": "1,b"})


def test_a_damaged_artifact_is_named_and_histories_go_on_without_it(own, run):
    path = artifact_path(run.path, "probe", 1)
    write_bytes(path, path.read_bytes()[:3000])
    answer = own("figures/probe/1")
    assert (answer.status_code, answer.json["problem"]) == (422, "damaged")
    assert "epoch_000001.h5" in answer.json["message"]
    over = own("figures/probe/over-epochs").json
    assert list(values(over["figure"]["data"][1]["x"])) == [0, 2]
    assert len(over["damaged"]) == 1
    assert over["damaged"][0].startswith("epoch 1: ")
    for epoch in (0, 2):
        write_bytes(artifact_path(run.path, "probe", epoch), b"nothing")
    assert own("figures/probe/over-epochs").json["problem"] == "damaged"


def test_a_figure_that_fails_on_an_artifact_says_so(own, run):
    without = xr.Dataset({"other": ("layer", np.zeros(len(run.layers)))}, {"layer": list(run.layers)})
    write(run, "probe", 1, without)
    answer = own("figures/probe/1")
    assert (answer.status_code, answer.json["problem"]) == (422, "figure")
    assert "KeyError" in answer.json["message"]


def test_a_figure_is_drawn_once_as_long_as_file_and_view_are_the_same(run, runs_dir):
    calls = []

    def draw(dataset, view):
        calls.append(view)
        return go.Figure(layout={"title": {"text": "x"}})

    drawer, found = Drawer(1_000_000, 1_000_000), Catalog(runs_dir).find(run.path.name)
    picture = Picture("probe", "probe", draw, draw)
    first = drawer.at_epoch(found, picture, 1, View())
    assert drawer.at_epoch(found, picture, 1, View()) == first
    assert len(calls) == 1
    drawer.at_epoch(found, picture, 1, View(theme="dark"))
    os.utime(artifact_path(run.path, "probe", 1), ns=(1, 1))
    drawer.at_epoch(found, picture, 1, View())
    assert len(calls) == 3
    for _ in range(2):
        drawer.over_epochs(found, picture, View())
    assert len(calls) == 4
    write_diagnostics(run, 7, ("probe",))
    drawer.over_epochs(found, picture, View())
    assert len(calls) == 5


def test_titles_of_panels_keep_their_room():
    panels = on_page(make_subplots(1, 2, subplot_titles=["a", "b"]).update_layout(title_text="T<br>S", height=300), "r")
    assert (panels["title"], panels["subtitle"], panels["height"]) == ("T", "S", 300)
    assert panels["figure"]["layout"]["margin"]["t"] == 34
    assert {note["font"]["size"] for note in panels["figure"]["layout"]["annotations"]} == {13}
    assert on_page(go.Figure(), "r")["figure"]["layout"]["margin"]["t"] == 16


def test_a_picture_that_cannot_be_loaded_keeps_none_of_the_others_away(monkeypatch, runs_dir):
    broken = [EntryPoint("entropy", "no_such_package:figure", registry.ENTRY_POINTS)]
    monkeypatch.setattr(registry, "entry_points", lambda group: broken if group == registry.ENTRY_POINTS else [])
    pictures = Pictures()
    assert "probe" in pictures.known
    assert "no_such_package" in pictures.broken["entropy"]
    layout = create_app(runs_dir).server.test_client().get("/_dash-layout").get_data(as_text=True)
    assert "no_such_package" in layout


# --- numbers ---


def test_numbers_of_one_kind_of_shape_are_one_table(client, address, complete):
    answer = client.get(f"{address}/numbers/probe/over-epochs")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{complete.path.name}_probe_over_epochs.csv"'
    table = pd.read_csv(io.BytesIO(answer.data))
    assert list(table.columns) == ["epoch", "layer", "accuracy", "chance", "control_accuracy", "f1_macro"]
    assert len(table) == 3 * len(complete.layers)
    expected = 0.2 + 0.6 * (1 - np.exp(-2 / 4))
    last = table[(table.epoch == 2) & (table.layer == "logits")]
    assert last.accuracy.item() == pytest.approx(expected)


def test_numbers_of_several_shapes_are_a_zip(client, address):
    answer = client.get(f"{address}/numbers/landscape/1")
    files = zipfile.ZipFile(io.BytesIO(answer.data))
    assert set(files.namelist()) == {"split_alpha_beta.csv", "split_alpha.csv", "split_beta.csv", "split.csv"}
    plane = pd.read_csv(files.open("split_alpha_beta.csv"))
    assert list(plane.columns) == ["split", "alpha", "beta", "loss"]
    assert len(plane) == 2 * 9 * 9
    surface = zipfile.ZipFile(io.BytesIO(client.get(f"{address}/numbers/surface/1").data))
    single = pd.read_csv(surface.open("values.csv"))
    assert list(single.columns) == ["agreement", "surrogate_agreement"]


def test_a_name_that_is_no_ascii_is_a_file_name_all_the_same():
    response = download('bløck "1" 层.csv', b"")
    response.headers["Content-Disposition"].encode("latin-1")
    assert parse_options_header(response.headers["Content-Disposition"])[1]["filename"] == 'bløck "1" 层.csv'


def test_numbers_of_one_layer(client, address, complete):
    answer = client.get(f"{address}/numbers/probe/1?only=accuracy&layer=block1")
    assert pd.read_csv(io.BytesIO(answer.data))["accuracy"].tolist() == [
        read_artifact(complete.path, "probe", 1)["accuracy"].sel(layer="block1").item()
    ]
    for query in ("layer=nope", "sample=3", "nope=block1", "layer=../.."):
        assert client.get(f"{address}/numbers/probe/1?only=accuracy&{query}").status_code == 404


def test_only_some_numbers_and_classes_by_name(client, address, complete):
    answer = client.get(f"{address}/numbers/prediction/1?only=confusion")
    assert "prediction_confusion_epoch_1.csv" in answer.headers["Content-Disposition"]
    table = pd.read_csv(io.BytesIO(answer.data))
    assert list(table.columns) == ["class", "class_name", "class_predicted", "class_predicted_name", "confusion"]
    row = table[(table["class"] == 2) & (table.class_predicted == 0)].iloc[0]
    assert (row.class_name, row.class_predicted_name, row.confusion) == (complete.classes[2], complete.classes[0], 1)
    bins = client.get(f"{address}/numbers/prediction/1?only=bin_count,bin_accuracy")
    assert list(pd.read_csv(io.BytesIO(bins.data)).columns) == ["bin", "bin_count", "bin_accuracy"]
    refused = client.get(f"{address}/numbers/prediction/1?only=nope")
    assert (refused.status_code, "bin_count" in refused.json["message"]) == (404, True)


def test_choices_of_the_data_are_told_and_what_it_lacks_is_as_if_not_chosen(client, address, complete):
    def surface(query):
        return client.get(f"{address}/figures/surface/1?{query}").json

    plain = surface("")
    assert [value for value, _ in plain["choices"]["against"]] == ["nothing", "first", "previous", "0", "1", "2"]
    assert "class" not in plain["choices"]
    one = surface("shade=probability&class=2")
    assert one["choices"]["class"] == [[str(k), name] for k, name in enumerate(complete.classes)]
    assert one["figure"]["data"] != surface("shade=probability&class=1")["figure"]["data"]
    assert surface("shade=probability&class=99")["figure"] == surface("shade=probability")["figure"]
    assert surface("against=77")["title"] == plain["title"]
    pair = client.get(f"{address}/figures/interpolation/1?shows=one+pair&pair=700").json
    first = pair["choices"]["pair"][0][0]
    assert f"pair {first}:" in pair["title"]
    over = client.get(f"{address}/figures/interpolation/over-epochs?shows=one+pair&pair=700")
    assert over.status_code == 200


def test_a_figure_beside_others_is_drawn_again_when_they_are_others(run, runs_dir):
    for epoch in range(3):
        write_diagnostics(run, epoch, ("landscape", "surface"))
    client = create_app(runs_dir).server.test_client()

    def range_at(epoch):
        answer = client.get(f"/data/runs/{run.path.name}/figures/landscape/{epoch}?scale=linear").json
        axis = answer["figure"]["layout"]["coloraxis"]
        return axis["cmin"], axis["cmax"]

    assert range_at(1) == range_at(2)
    before = range_at(2)
    write_diagnostics(run, 40, ("landscape",))
    assert range_at(2)[0] < before[0]
    write_bytes(artifact_path(run.path, "landscape", 40), b"nothing")
    assert range_at(2) == before  # what cannot be read is left out
    path = f"/data/runs/{run.path.name}/figures/surface"
    assert client.get(f"{path}/2?against=first").json["subtitle"].startswith("epoch 2 − epoch 0 · ")
    assert "no other epoch to set it against" in client.get(f"{path}/0?against=previous").json["subtitle"]


def test_failures_are_told_by_kind(own, run):
    write_error(run.path, "geometry", 1, ValueError("first"), "")
    write_error(run.path, "geometry", 3, ValueError("last"), "")
    errors = own("manifest").json["errors"]["kinds"]
    assert errors == {"geometry": {"epochs": [1, 3], "last": {"epoch": 3, "error": "ValueError", "message": "last"}}}
