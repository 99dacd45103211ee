"""Every benchmark can say what it does, all in this one process."""

import importlib
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_help_gives_the_way_to_run_it(name, capsys):
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(name).main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "--results DIR" in said
    # The first line of the docstring's usage names the script itself.
    assert re.search(rf"python benchmarks/{name}\.py", importlib.import_module(name).__doc__)
