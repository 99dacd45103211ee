"""How much of everything is measured on a GPU, and at toy size where only the ways are to be gone."""

N_FEATURES = 384
FULL = {"rows": 500_000, "width": 2048, "epochs": 4, "resolution": 101, "points": 1024, "probed": 20_000, "side": 8192}
SMALL = {"rows": 2_000, "width": 32, "epochs": 3, "resolution": 5, "points": 64, "probed": 300, "side": 64}
