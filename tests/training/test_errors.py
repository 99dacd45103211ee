"""What a person reads who made a mistake: one short reason, exit code 2, no traceback, nothing left behind."""

import pytest
import torch

from repviz.cli import main

CASES = {
    "misspelt setting": (["--model.hiden_dims", "[3]"], "Did you mean 'model.hidden_dims'?"),
    "abbreviated setting": (["--trainer.max_epoch", "3"], "Did you mean 'trainer.max_epochs'?"),
    "wrong type": (["--model.lr", "fast"], "model.lr"),
    "out of range": (["--data.batch_size", "0"], "data.batch_size"),
    "not a choice": (["--model.fusion", "sum"], "model.fusion"),
    "negative epochs": (["--trainer.max_epochs", "-5"], "max_epochs"),
    "no such data": (["--data.path", "nowhere.npz"], "nowhere.npz"),
    "no such kind to log": (["--logged_figures.kinds", "[prob]"], "did you mean 'probe'?"),
    "data for settings": (["--data", "mine.npz"], "--data.path mine.npz"),
    "fusion without tabular": (["--data.use_tabular", "false"], "configs/embeddings.yaml"),
    "no such checkpoint": (["--ckpt-path", "nowhere.ckpt"], "nowhere.ckpt"),
    "no such config": (["--config", "nowhere.yaml"], "nowhere.yaml"),
    "endless cosine": (["--trainer.max_epochs", "-1"], "max_epochs"),
    "no such metric": (["--monitor", "val_acuracy"], "Did you mean 'val_accuracy'?"),
    "no such metric to stop by": (["--early_stopping.monitor", "val_acc"], "early_stopping.monitor"),
    "no such accelerator": (["--trainer.accelerator", "foo"], "foo"),
    "no such devices": (["--trainer.accelerator", "cpu", "--trainer.devices", "abc"], "devices"),
    "nothing to train": (["--trainer.max_epochs", "0"], "trainer.max_epochs is 0"),
    "stopping by nothing": (["--trainer.limit_val_batches", "0"], "--early-stopping.enabled=false"),
    "no such layer": (["--projection.layers", "[block7]"], "no layer 'block7'; it has input, block1, block2"),
    "wrong number of class weights": (["--model.class_weights", "[1, 2]"], "20 classes"),
}


def mistake(arguments: list[str], capsys) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    message = error[error.index("error: ") :]
    assert len(message.strip().splitlines()) <= 5
    return message


@pytest.mark.parametrize("case", CASES)
def test_one_reason_that_names_the_setting(case, packages, tmp_path, capsys):
    options, expected = CASES[case]
    arguments = ["fit", "--data.path", str(packages), "--runs-dir", str(tmp_path / "runs"), *options]
    assert expected in mistake(arguments, capsys)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: {bath_size: 3}", "Did you mean 'data.batch_size'?"),
        ("model: {lr: fast}", "model.lr"),
        ("modle: {lr: 1}", "modle.lr"),
        ("a: [", "config"),
        ("trainer: 5", "error"),
        ("projection: 3", "error"),
        ("model: null", "error"),
    ],
)
def test_mistakes_in_yaml(text, expected, packages, tmp_path, capsys):
    config = tmp_path / "mistake.yaml"
    config.write_text(text)
    assert expected in mistake(["fit", "--data.path", str(packages), "--config", str(config)], capsys)


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_evaluation_needs_a_checkpoint_whether_it_has_data_or_settings(command, packages, tmp_path, capsys):
    config = tmp_path / "settings.yaml"
    config.write_text(f"data: {{path: {packages}}}")
    for given in ([], ["--data.path", str(packages)], ["--config", str(config)]):
        assert "--ckpt-path" in mistake([command, *given], capsys)
        for absent in (["--ckpt-path", "nowhere.ckpt"], ["--ckpt-path=nowhere.ckpt"]):
            assert mistake([command, *absent, *given], capsys) == "error: there is no checkpoint nowhere.ckpt\n"


@pytest.mark.parametrize("asked", [["--help"], ["-h"], ["--trainer.logger.help=CSVLogger"], ["--print_config"]])
def test_who_asks_what_there_is_needs_none(asked, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["predict", *asked])
    assert ended.value.code == 0
    assert capsys.readouterr().out


def test_a_checkpoint_may_be_named_in_the_settings(fit, tmp_path, capsys):
    run_dir = fit("--trainer.max_epochs", "1")
    config = tmp_path / "settings.yaml"
    config.write_text(
        (run_dir / "config.yaml").read_text().replace("ckpt_path: null", "")
        + f"ckpt_path: {run_dir}/checkpoints/last.ckpt\n"
    )
    main(["validate", "--config", str(config)])
    assert "val_accuracy" in capsys.readouterr().out


def test_a_file_that_is_no_checkpoint(packages, tmp_path, capsys):
    path = tmp_path / "model.ckpt"
    path.write_text("not a checkpoint")
    assert "checkpoint" in mistake(["validate", "--data.path", str(packages), "--ckpt-path", str(path)], capsys)


def test_settings_in_a_checkpoint_that_cannot_be_used_are_one_line_that_names_it(fit, capsys):
    run_dir = fit("--trainer.max_epochs", "1")
    checkpoint = run_dir / "checkpoints" / "last.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    content["hyper_parameters"]["lr"] = "much"
    torch.save(content, checkpoint)
    message = mistake(["validate", "--ckpt-path", str(checkpoint)], capsys)
    lines = [line for line in message.splitlines() if not line.startswith("settings:")]
    assert len(lines) == 1, message
    assert str(checkpoint) in lines[0]
    assert "model.lr" in lines[0]
