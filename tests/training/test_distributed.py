"""Two processes: one run folder, nobody hangs, and metrics that do not depend on how many took part."""

import numpy as np
import pytest

import repviz
from repviz.cli import main
from repviz.store.metrics_table import read_metrics
from tests.training.conftest import SMALL

TWO = ["--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp"]


def finish(process) -> str:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def test_two_processes_train_measure_and_predict_as_one(start, packages, tmp_path, capsys):
    finish(
        start(
            "fit",
            *("--data.path", str(packages), "--runs-dir", str(tmp_path / "runs"), *SMALL),
            *("--trainer.max_epochs", "2", *TWO),
        )
    )
    (run_dir,) = (tmp_path / "runs").iterdir()
    info = repviz.open_run(run_dir).info()
    assert (info["state"], info["world_size"]) == ("finished", 2)
    rows = read_metrics(run_dir)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert rows[2]["step"] == 2 * 4  # 1,600 rows for each, in batches of 512

    last = ["--ckpt-path", str(run_dir / "checkpoints" / "last.ckpt")]
    one = ["--trainer.devices", "1", "--trainer.strategy", "auto"]
    capsys.readouterr()
    main(["validate", *last, *one])
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("val", "excl")))
    for name, value in printed.items():
        assert float(value) == pytest.approx(rows[2][name], abs=6e-5), name

    finish(start("predict", *last, "--out", str(tmp_path / "two.npz")))
    main(["predict", *last, *one, "--out", str(tmp_path / "one.npz")])
    a, b = np.load(tmp_path / "one.npz"), np.load(tmp_path / "two.npz")
    np.testing.assert_array_equal(a["id"], b["id"])
    np.testing.assert_allclose(a["probability"], b["probability"], rtol=1e-4, atol=1e-7)
