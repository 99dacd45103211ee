"""What a poll brings, put together with what a page knows, is what there is."""

import pytest

from repviz.dashboards.cache import FileCache
from repviz.dashboards.catalog import Catalog
from repviz.dashboards.manifest import Manifests
from repviz.dashboards.news import since


def manifest(signature, epochs, versions, metrics, **more):
    kind = {"epochs": epochs, "versions": versions}
    return {"run": "a", "signature": signature, "artifacts": {"projection": kind}, "metrics": metrics, "x": 1} | more


def together(before, rows, news, new_rows):
    """As assets/30_news.js does it."""
    if "since" not in news:
        return news, new_rows

    def joined(old, part, names):
        return {name: old.get(name, [])[: part["kept"]] + part[name] for name in names}

    artifacts = {
        kind: before["artifacts"][kind]
        if part is None
        else joined(before["artifacts"].get(kind, {}), part, part.keys() - {"kept"})
        for kind, part in news["artifacts"].items()
    }
    metrics = {**news["metrics"], **joined(before["metrics"], news["metrics"], ["epochs"])}
    whole = {**before, **news, "artifacts": artifacts, "metrics": {k: v for k, v in metrics.items() if k != "kept"}}
    return {k: v for k, v in whole.items() if k != "since"}, rows[: news["metrics"]["kept"]] + new_rows[
        news["metrics"]["kept"] :
    ]


BEFORE = manifest("s1", [0, 1, 2], ["a", "b", "c"], {"epochs": [0, 1, 2], "version": "m1"})
ROWS = [{"epoch": 0}, {"epoch": 1}, {"epoch": 2}]
AFTER = {
    "one more": ([0, 1, 2, 3], ["a", "b", "c", "d"], [*ROWS, {"epoch": 3}]),
    "nothing": ([0, 1, 2], ["a", "b", "c"], ROWS),
    "rewritten": ([0, 1, 2, 3], ["a", "x", "c", "d"], [{"epoch": 0}, {"epoch": 1, "val_loss": 2.0}]),
    "gone": ([], [], []),
    "earlier": ([0, 1], ["a", "b"], ROWS[:2]),
}


@pytest.mark.parametrize("what", AFTER)
def test_news_complete_what_is_known(what):
    epochs, versions, rows = AFTER[what]
    after = manifest("s2", epochs, versions, {"epochs": [row["epoch"] for row in rows], "version": "m2"}, x=2)
    after["artifacts"]["probe"] = {"epochs": [1], "versions": ["p"]}
    news = since(BEFORE, ROWS, after, rows)
    assert news["since"] == "s1"
    assert together(BEFORE, ROWS, news, rows) == (after, rows)


def test_what_is_the_same_is_not_told():
    after = manifest("s2", [0, 1, 2, 3], ["a", "b", "c", "d"], {"epochs": [0, 1, 2, 3], "version": "m2"})
    news = since(BEFORE, ROWS, after, [*ROWS, {"epoch": 3}])
    assert "x" not in news
    assert news["artifacts"]["projection"] == {"kept": 3, "epochs": [3], "versions": ["d"]}
    assert news["metrics"] == {"kept": 3, "epochs": [3], "version": "m2"}


def test_a_part_that_is_gone_means_all_of_it():
    after = {key: value for key, value in BEFORE.items() if key != "x"}
    assert since(BEFORE, ROWS, after, ROWS) == after


def test_a_table_that_is_replaced_while_a_manifest_is_made_is_no_epoch_lost(runs_dir, make_run, monkeypatch):
    run = make_run(epochs=2, state="running")
    manifests = Manifests(Catalog(runs_dir), FileCache(10_000_000))
    found = manifests._catalog.find(run.path.name)
    extents = manifests._extents.of_run

    def slow(*asked):
        run.write_metrics(3)
        return extents(*asked)

    monkeypatch.setattr(manifests._extents, "of_run", slow)
    known = manifests.of_run(found)
    monkeypatch.undo()
    assert known["metrics"]["epochs"] == [0, 1, 2]
    news = manifests.since(known["signature"], manifests.of_run(found))
    assert (news["metrics"]["kept"], news["metrics"]["epochs"]) == (3, [3])


def test_rows_that_are_as_before_are_kept_once_for_all_that_was_told(runs_dir, make_run):
    run, manifests = make_run(epochs=2), Manifests(Catalog(runs_dir), FileCache(10_000_000))
    before = manifests.rows(manifests._catalog.find(run.path.name))
    run.rows[1]["train_loss"] = 0.5
    run.write_metrics(3)
    after = manifests.rows(manifests._catalog.find(run.path.name))
    assert [row["epoch"] for row in after] == [0, 1, 2, 3]
    assert after[1]["train_loss"] == 0.5
    assert [old is new for old, new in zip(before, after, strict=False)] == [True, False, True]


def test_an_epoch_that_comes_while_a_manifest_is_made_is_news_of_the_next(runs_dir, make_run, monkeypatch):
    run = make_run(epochs=2, state="running")
    manifests = Manifests(Catalog(runs_dir), FileCache(10_000_000))
    found = manifests._catalog.find(run.path.name)
    extents = manifests._extents.of_run

    def slow(*asked):
        run.write_projection(3)
        return extents(*asked)

    monkeypatch.setattr(manifests._extents, "of_run", slow)
    known = manifests.of_run(found)
    monkeypatch.undo()
    assert known["artifacts"]["projection"]["epochs"] == [0, 1, 2]
    after = manifests.of_run(found)
    assert after["signature"] != known["signature"], "else no page would ask for what has changed"
    assert manifests.since(known["signature"], after)["artifacts"]["projection"]["epochs"] == [3]


def test_a_run_that_could_not_be_read_once_is_asked_again(runs_dir, make_run, monkeypatch):
    run = make_run(epochs=2)
    manifests = Manifests(Catalog(runs_dir), FileCache(10_000_000))

    def fail(_):
        raise OSError("stale file handle")

    monkeypatch.setattr(manifests, "rows", fail)
    assert [entry["state"] for entry in manifests.of_runs()] == ["damaged"]
    monkeypatch.undo()
    assert [(entry["name"], entry["state"]) for entry in manifests.of_runs()] == [(run.path.name, "finished")]


def test_a_page_that_fell_behind_gets_all_that_came_since(runs_dir, make_run):
    run, manifests = make_run(epochs=1), Manifests(Catalog(runs_dir), FileCache(10_000_000))

    def now():
        return manifests.of_run(manifests._catalog.find(run.path.name))

    known = now()
    for epoch in (2, 3):
        run.write_epoch(epoch)
        told = now()
        for _ in range(2):  # a second page knows the same
            news = manifests.since(known["signature"], told)
            assert (news["since"], news["signature"]) == (known["signature"], told["signature"])
            assert news["artifacts"]["projection"]["epochs"] == list(range(2, epoch + 1))
