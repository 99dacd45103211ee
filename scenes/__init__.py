"""Scenes of a run, animated with Manim: each reads what the run has recorded, none knows a path."""
