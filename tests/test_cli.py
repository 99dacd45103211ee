"""The command before anything heavy is imported."""

import subprocess
import sys

import pytest

from repviz.cli import main
from repviz.version import __version__


def test_help_speaks_of_every_command_and_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['repviz', '--help']\n"
        "try:\n    import repviz.cli; repviz.cli.main()\n"
        "finally: print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    for command in ("fit", "validate", "test", "predict", "dashboard", "runs", "verify", "data"):
        assert command in done.stdout
    assert not {"torch", "lightning", "numpy", "jsonargparse"} & set(done.stdout.splitlines()[-1].split())


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"repviz {__version__}\n"


def test_an_unknown_command_is_exit_code_2(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["fitt"])
    assert ended.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--runs-dir", "--runs_dir"])
def test_options_are_taken_with_dash_and_underscore(option, tmp_path, capsys):
    main(["runs", option, str(tmp_path / "none-here")])
    assert "no runs in" in capsys.readouterr().out


def test_inspect_and_convert(packages, tmp_path, capsys):
    main(["data", "inspect", str(packages)])
    assert "20 classes" in capsys.readouterr().out
    out = tmp_path / "copy.npz"
    main(["data", "convert", str(packages), "--out", str(out)])
    main(["data", "inspect", str(out)])
    assert "20 classes" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["data", "convert", str(packages), "--out", str(out)])
    assert ended.value.code == 2
    assert "--overwrite" in capsys.readouterr().err
