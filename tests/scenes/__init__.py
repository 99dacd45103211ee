"""Scenes need Manim, and Manim needs Cairo: without them these tests skip, or fail where they are required."""

from tests.conftest import require

require("scenes", module="manim")
