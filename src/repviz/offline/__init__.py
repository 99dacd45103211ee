"""``repviz diagnose``: the diagnostics of a run from its checkpoints, later, here or on many machines.

What is missing (``plan``) is computed step by step (``work``), one step being one diagnostic of one epoch, wherever
there is room (``pools``). ``diagnosing.diagnose`` is the whole of it.
"""
