"""Benchmarks are scripts: what lies beside them is imported by its bare name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
