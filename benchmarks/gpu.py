"""Everything that runs on a GPU, on whatever GPU is there; without one it says so and measures nothing.

    python benchmarks/gpu.py [--only training landscape probe background] [--repeats 5] [--device cpu --small]

Training 384-2048-2048-2048-20 on made rows: ``repviz fit`` without diagnostics beside a hand-written loop whose data
lie on the device and which computes the same metrics, both eager; ``repviz fit`` keeps one checkpoint, at the end.
Beside it, without a bar: bfloat16, TF32 and, on a GPU, ``torch.compile`` and CUDA graphs. Landscape 101 x 101 of
384-512-256-20 on 1,024 points beside a forward pass per grid point. Probes of five layers on 20,000 points. UMAP maps
of one layer, the first and the next epoch's, by TorchDR beside umap-learn, neighbours found on the device for both. A
run with all diagnostics in the background beside one without. ``--device cpu --small`` goes the same ways at toy size,
without bars. Parts that are measured one by one (``--only``) end up in one record.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

from background import MOST_RATIO_ON_GPU, pair
from gpu_parts.made import N_CLASSES, data_file, snapshot
from landscape_parts.ways import farthest, one_forward_per_point, repviz, scene
from report.arguments import arguments, sentence
from report.record import FAILED, Record, Row, multiples, rates, read, times
from repviz.diagnostics.diagnostic import Earlier
from repviz.diagnostics.probe import Probe
from repviz.diagnostics.projection import Projection
from training_parts.hand_written import by_hand
from training_parts.setting import Setting, rate, rows_of
from training_parts.through_repviz import quieten, through_repviz

N_FEATURES, SAME = 384, 1e-3
TRAINING_BARS = {4096: 0.9, 512: 0.7}
LANDSCAPE_BAR, PROBE_BAR = 20.0, 1.0
SIZES = {"rows": 500_000, "width": 2048, "epochs": 4, "resolution": 101, "points": 1024, "probed": 20_000}
SMALL = {"rows": 2_000, "width": 32, "epochs": 3, "resolution": 5, "points": 64, "probed": 300}
BESIDE = {
    "bfloat16": ("--trainer.precision", "bf16-mixed"),
    "TF32": ("--runtime.float32_matmul_precision", "high"),
    "torch.compile": ("--runtime.compile", "auto"),
    "CUDA graphs": ("--runtime.compile", "cuda_graphs"),
}
"""Settings of ``repviz fit`` that are measured beside the eager run in single precision."""


def training(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on training at both batch sizes."""
    with tempfile.TemporaryDirectory() as folder:
        data = data_file(Path(folder), sizes["rows"], N_FEATURES)
        rows = rows_of(data)
        for batch in TRAINING_BARS if not options.small else [min(TRAINING_BARS)]:
            setting = Setting((sizes["width"],) * 3, batch, sizes["epochs"], options.device)
            once = ("--checkpoint_every_n_epochs", str(setting.epochs))
            # Without a GPU nothing is compiled: a row of it would be one of the eager run.
            beside = {
                name: more
                for name, more in BESIDE.items()
                if options.device == "cuda" or "--runtime.compile" not in more
            }
            found: dict[str, list[float]] = {name: [] for name in ("by hand", "repviz", *beside)}
            for _ in range(options.repeats):
                found["by hand"].append(rate(len(rows["train"][0]), by_hand(rows, setting)))
                for name, more in {"repviz": (), **beside}.items():
                    found[name].append(rate(len(rows["train"][0]), through_repviz(data, setting, *once, *more)))
                torch.set_float32_matmul_precision("highest")
            peer = "a hand-written device-resident loop, eager, single precision"
            for name in ("repviz", *beside):
                what = f"training, batch {batch}" + ("" if name == "repviz" else f", {name}")
                bar = TRAINING_BARS[batch] if name == "repviz" and not options.small else None
                record.add(rates(what, found[name], found["by hand"], "samples/s", peer=peer, bar=bar))


def landscape(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on the landscape."""
    seen = scene(sizes["resolution"], sizes["points"], options.device)
    repviz(scene(3, sizes["points"], options.device))  # the libraries' own start
    own, other, off = [], [], []
    for _ in range(options.repeats):
        began = time.perf_counter()
        found = repviz(seen)
        own.append(time.perf_counter() - began)
        began = time.perf_counter()
        expected = one_forward_per_point(seen)
        other.append(time.perf_counter() - began)
        off.append(farthest(found, expected))
    what = f"landscape {sizes['resolution']} x {sizes['resolution']}, {sizes['points']:,} points"
    bar = None if options.small else LANDSCAPE_BAR
    record.add(times(what, own, other, peer="a forward pass per grid point", bar=bar))
    record.add(Row("landscape, losses off the peer's, at most", tuple(off), "of them", SAME, "most"))


def probe(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Seconds of five probes."""
    widths = (N_FEATURES, *(sizes["width"],) * 3, N_CLASSES)
    looked_at = snapshot(sizes["probed"], widths, options.device)
    Probe().compute(snapshot(10 * N_CLASSES, (N_FEATURES,), options.device))  # the libraries' own start
    found = []
    for _ in range(options.repeats):
        began = time.perf_counter()
        Probe().compute(looked_at)
        found.append(time.perf_counter() - began)
    what = f"probes of {len(widths)} layers ({', '.join(map(str, widths))} units), {sizes['probed']:,} points"
    record.add(Row(what, tuple(found), "s", None if options.small else PROBE_BAR, "most"))


def projection(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on the maps of one layer as wide as the data."""
    epochs = {
        name: snapshot(sizes["probed"], (N_FEATURES,), options.device, noise)
        for name, noise in (("first epoch", 3.0), ("next epoch", 2.9))
    }
    by = {backend: Projection(methods=("umap",), umap_backend=backend) for backend in ("torchdr", "umap-learn")}
    for mapped in by.values():  # the libraries' own start
        mapped.compute(snapshot(10 * N_CLASSES, (N_FEATURES,), options.device))
    found = {(name, backend): ([], []) for name in epochs for backend in by}
    for _ in range(options.repeats):
        for backend, mapped in by.items():
            earlier = Earlier()
            for name, epoch in epochs.items():
                began = time.perf_counter()
                maps = mapped.compute(epoch, earlier)
                seconds, trust = found[name, backend]
                seconds.append(time.perf_counter() - began)
                trust.append(float(maps["trustworthiness"].item()))
                earlier = Earlier(first=maps, previous=maps)
    for name in epochs:
        (own, ours), (other, theirs) = (found[name, backend] for backend in by)
        what = f"UMAP of the {name}, {sizes['probed']:,} points, by TorchDR"
        record.add(times(what, own, other, peer="by umap-learn"))
        below = tuple(b - a for a, b in zip(ours, theirs, strict=True))
        record.add(Row(f"{what}: trustworthiness below umap-learn's", below, "of 1"))


def background(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on a run with all diagnostics beside it; two runs take minutes, so one pair is measured."""
    epochs, batch = (1, 512) if options.small else (20, 4)
    alone, beside, missing = pair(options.data, epochs, batch, device=options.device)
    bar = None if options.small else MOST_RATIO_ON_GPU
    peer = "the same run without diagnostics"
    record.add(multiples("time until the last step, all in the background", [beside], [alone], peer=peer, bar=bar))
    record.add(Row("due artifacts missing after draining", (float(len(missing)),), "files", 0, "most"))


PARTS = {
    "training": training,
    "landscape": landscape,
    "probe": probe,
    "projection": projection,
    "background": background,
}


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 0 when the bars are met, or when there is no GPU."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="toy sizes and no bars, to see that all of it works")
    parser.add_argument("--only", nargs="+", choices=[*PARTS], default=[*PARTS], help="parts to measure")
    options = parser.parse_args(argv)
    sizes = SMALL if options.small else SIZES
    said = {"rows": f"{sizes['rows']:,}", "device": options.device, "size": "toy" if options.small else "full"}
    record = Record("gpu", "GPU", sentence(__doc__), said)
    if options.device == "cuda" and not torch.cuda.is_available():
        record.not_measured = "there is no CUDA GPU on this machine"
        return record.finish(options.results)
    quieten()
    keep_other_parts(record, options.results)
    problems = []
    for name in options.only:
        try:
            PARTS[name](record, sizes, options)
        except Exception as error:  # what else was measured on a machine that is lent for minutes stays
            problems.append(f"{name}: {type(error).__name__}: {error}")
        record.failed = "; ".join(problems)
        code = record.finish(options.results)
    return FAILED if problems else code


def keep_other_parts(record: Record, results: Path) -> None:
    """Go on from a record of the same code, machine and conditions; what is measured again replaces its row."""
    path = results / f"{record.name}.json"
    if not path.exists():
        return
    known = read(path)
    if (known.commit, known.machine, known.conditions) == (record.commit, record.machine, record.conditions):
        record.rows.extend(known.rows)


if __name__ == "__main__":
    sys.exit(main())
