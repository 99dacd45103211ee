"""configs/cluster and docs/clusters.md: what is written there is accepted by the parsers that will read it."""

import os
import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from lightning.pytorch import Trainer
from torch.distributed.run import get_args_parser

from repviz.cli import main
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "clusters.md").read_text("utf-8")
LAYERS = sorted((ROOT / "configs" / "cluster").glob("*.yaml"))
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if not kind for line in block.splitlines()]
((_, SBATCH),) = [block for block in BLOCKS if block[0] == "bash"]
REQUEUED = 143


def accepted(words: list[str], capsys) -> dict:
    """The configuration that ``repviz`` makes of a command line."""
    assert words[0] == "fit", words
    with pytest.raises(SystemExit) as ended:
        main([*words, "--print_config"])
    printed = capsys.readouterr()
    assert not ended.value.code, (words, printed.err)
    return yaml.safe_load(printed.out)


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda path: path.stem)
def test_every_layer_goes_on_top_of_a_configuration(layer, capsys):
    config = accepted(["fit", "--config", "configs/concat.yaml", "--config", str(layer)], capsys)
    said = yaml.safe_load(layer.read_text("utf-8"))
    for block, values in said.items():
        found = config[block]
        assert ({name: found[name] for name in values} if isinstance(values, dict) else found) == values
    here = {"accelerator": "cpu", "devices": 1, "num_nodes": 1, "logger": False}
    assert Trainer(**{**said.get("trainer", {}), **here})


def test_the_page_names_every_layer():
    assert set(re.findall(r"^\| `(\w+\.yaml)`", PAGE, re.MULTILINE)) == {path.name for path in LAYERS}


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_is_accepted(line, capsys):
    program, *words = shlex.split(line)
    if program == "torchrun":
        started = get_args_parser().parse_args(words)
        assert (started.module, started.training_script) == (True, "repviz")
        config = accepted(started.training_script_args, capsys)
        assert int(config["trainer"]["devices"]) == int(started.nproc_per_node)
        assert config["trainer"]["num_nodes"] == int(started.nnodes.partition(":")[0])
        return
    assert program == "repviz"
    if words[0] == "fit":
        accepted(words, capsys)
    else:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        known = capsys.readouterr().out
        assert ended.value.code == 0
        assert all(word in known for word in words if word.startswith("--"))


def test_the_settings_that_the_page_names_exist(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    known = set(re.findall(r"--[\w.-]+", capsys.readouterr().out))
    named = set(
        re.findall(r"`--((?:trainer|model|data|background)\.[\w-]+|runs-dir|spread-diagnostics|diagnostics)", PAGE)
    )
    assert {f"--{name}" for name in named} <= known
    assert len(named) >= 8


def test_the_batch_script_submits_and_goes_on(tmp_path, capsys):
    """Run by bash with programs in the place of SLURM's; first anew, then after the run was told to end."""
    assert shutil.which("bash")
    script = tmp_path / "job.sh"
    script.write_text(SBATCH)
    subprocess.run(["bash", "-n", str(script)], check=True)
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", SBATCH, re.MULTILINE))
    for name, code in (("srun", REQUEUED), ("scontrol", 0)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/bash\nprintf "%s\\n" "$@" > {tmp_path / name}\nexit {code}\n')
        program.chmod(0o755)
    there = tmp_path / "runs" / "job_7" / "20260101_000000" / "checkpoints" / "last.ckpt"
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "8"}
    for goes_on in (False, True):
        if goes_on:
            there.parent.mkdir(parents=True)
            there.touch()
        done = subprocess.run(["bash", str(script)], cwd=tmp_path, env=environment)
        assert done.returncode == REQUEUED
        assert (tmp_path / "scontrol").read_text().split() == ["requeue", "7"]
        program, *words = (tmp_path / "srun").read_text().splitlines()
        assert program == "repviz"
        assert ("--ckpt-path" in words) == goes_on
        if goes_on:
            at = words.index("--ckpt-path")
            assert (tmp_path / words[at + 1]).samefile(there)
            del words[at : at + 2]
        config = accepted(words, capsys)
        assert config["runs_dir"] == "runs/job_7"
        assert int(config["trainer"]["devices"]) == int(options["ntasks-per-node"]) == int(options["gpus-per-node"])
        assert config["trainer"]["num_nodes"] == int(options["nodes"])
