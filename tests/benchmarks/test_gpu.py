"""The benchmark on a GPU: at toy size on the CPU it goes the same ways, and without a GPU it says so."""

import logging

import pytest
import torch

import gpu
from benchmarks.report.record import FAILED, MET, read
from gpu_parts import training


@pytest.fixture(autouse=True)
def _as_before():
    """The benchmark silences logs and sets the precision of products for its process."""
    yield
    logging.disable(logging.NOTSET)
    torch.set_float32_matmul_precision("highest")


def test_without_a_gpu_nothing_is_measured_and_nothing_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main(["--results", str(tmp_path)]) == MET
    found = read(tmp_path / "gpu.json")
    assert found.rows == []
    assert found.not_measured == "there is no CUDA GPU on this machine"


def test_at_toy_size_all_that_runs_in_one_process_goes_its_way(tmp_path):
    parts = [name for name in gpu.PARTS if name != "background"]
    assert gpu.main(["--device", "cpu", "--small", "--repeats", "1", "--results", str(tmp_path), "--only", *parts]) == 0
    rows = {row.what: row for row in read(tmp_path / "gpu.json").rows}
    for name in ("training, batch 512", "training, batch 512, bfloat16", "landscape 5 x 5, 64 points"):
        assert rows[name].median > 0
        assert rows[name].met is None  # toy sizes say nothing about speed
    assert rows["landscape, losses off the peer's, at most"].met
    assert rows["UMAP of the next epoch, 300 points, by TorchDR"].theirs[0] > 0
    assert rows["first map by UMAP, 300 points"].theirs[0] > 0
    assert rows["principal axes, 300 points"].ours[0] > 0
    assert rows["product of 64 x 64, double precision"].median > 0
    assert any(name.startswith("probes of 5 layers") for name in rows)


def test_a_setting_that_cannot_be_measured_takes_no_other_with_it(tmp_path, monkeypatch):
    monkeypatch.setitem(training.BESIDE, "none", ("--trainer.precision", "no such"))
    small = ["--device", "cpu", "--small", "--repeats", "1", "--results", str(tmp_path), "--only", "settings"]
    assert gpu.main(small) == FAILED
    found = read(tmp_path / "gpu.json")
    assert "training, batch 512, none: RuntimeError: repviz fit ended with exit code 2" in found.failed
    assert [row.what for row in found.rows] == ["training, batch 512, bfloat16", "training, batch 512, TF32"]


def test_a_record_of_unknown_code_is_not_gone_on_with(tmp_path):
    small = ["--device", "cpu", "--small", "--repeats", "1", "--results", str(tmp_path)]
    assert gpu.main([*small, "--only", "probe", "--commit", "unknown"]) == MET
    assert gpu.main([*small, "--only", "floor", "--commit", "unknown"]) == MET
    assert len(read(tmp_path / "gpu.json").rows) == 4
    assert gpu.main([*small, "--only", "floor", "--commit", "1234567"]) == MET
    assert gpu.main([*small, "--only", "probe", "--commit", "1234567"]) == MET
    found = read(tmp_path / "gpu.json")
    assert (len(found.rows), found.commit) == (5, "1234567")


def test_a_part_that_fails_takes_no_other_with_it_and_can_be_measured_again(tmp_path, monkeypatch):
    small = ["--device", "cpu", "--small", "--repeats", "1", "--results", str(tmp_path)]
    monkeypatch.setitem(gpu.PARTS, "landscape", lambda *_: 1 / 0)
    assert gpu.main([*small, "--only", "landscape", "probe"]) == FAILED
    found = read(tmp_path / "gpu.json")
    assert found.failed == "landscape: ZeroDivisionError: division by zero"
    (probe,) = found.rows
    monkeypatch.undo()
    assert gpu.main([*small, "--only", "landscape"]) == MET
    found = read(tmp_path / "gpu.json")
    assert not found.failed
    assert found.rows[0] == probe
    assert {row.what for row in found.rows[1:]} >= {"landscape 5 x 5, 64 points"}
    assert gpu.main([*small, "--only", "probe"]) == MET
    again = read(tmp_path / "gpu.json")
    assert [row.what for row in again.rows].count(probe.what) == 1
    assert len(again.rows) == len(found.rows)
