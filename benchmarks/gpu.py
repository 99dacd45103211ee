"""Everything that runs on a GPU, on whatever GPU is there; without one it says so and measures nothing.

    python benchmarks/gpu.py [--only training landscape probe] [--repeats 5] [--device cpu --small]

Training 384-2048-2048-2048-20 on made rows: ``repviz fit`` without diagnostics, which writes its run and a checkpoint
after every epoch, beside a hand-written loop whose data lie on the device and which computes the same metrics, both
eager. Then, without a bar, bfloat16, TF32 and, on a GPU, ``torch.compile`` and CUDA graphs; and how often a further
step makes the host wait. Landscape 101 x 101 of 384-512-256-20 on 1,024 points beside a forward pass per grid point.
Probes of five layers on 20,000 points. What maps and their measures are made of, on the device and on the processor.
UMAP maps of one layer, the first and the next epoch's, by TorchDR beside umap-learn, neighbours found on the device for
both, and beside TorchDR's own UMAP. A run with all diagnostics in the background beside one without. The rate of
products. ``--device cpu --small`` goes the same ways at toy size, without bars. Parts that are measured one by one
(``--only``) end up in one record, and each is written as soon as it is measured.
"""

import argparse
import sys
from pathlib import Path

import torch

from background import MOST_RATIO_ON_GPU, pair
from gpu_parts.looking import floor, landscape, pieces, probe
from gpu_parts.maps import projection
from gpu_parts.sizes import FULL, SMALL
from gpu_parts.training import settings, training, waits
from report.arguments import arguments, sentence
from report.record import FAILED, Record, Row, multiples, read
from training_parts.through_repviz import quieten


def background(record: Record, sizes: dict[str, int], options: argparse.Namespace) -> None:
    """Rows on a run with all diagnostics beside it; two runs take minutes, so one pair is measured."""
    epochs, batch = (1, 512) if options.small else (20, 4)
    one = ("--trainer.devices", "1") if options.device == "cuda" else ()
    alone, beside, missing = pair(options.data, epochs, batch, *one, device=options.device)
    bar = None if options.small else MOST_RATIO_ON_GPU
    peer = "the same run without diagnostics"
    record.add(multiples("time until the last step, all in the background", [beside], [alone], peer=peer, bar=bar))
    record.add(Row("due artifacts missing after draining", (float(len(missing)),), "files", 0, "most"))


PARTS = {
    "training": training,
    "landscape": landscape,
    "probe": probe,
    "pieces": pieces,
    "floor": floor,
    "waits": waits,
    "projection": projection,
    "settings": settings,
    "background": background,
}
"""In the order of what matters most, should time run out."""


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 0 when the bars are met, or when there is no GPU."""
    parser = arguments(__doc__, data=True)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="toy sizes and no bars, to see that all of it works")
    parser.add_argument("--only", nargs="+", choices=[*PARTS], default=[*PARTS], help="parts to measure")
    parser.add_argument("--commit", default=None, help="name of the commit, where this is no repository")
    options = parser.parse_args(argv)
    sizes = SMALL if options.small else FULL
    said = {"rows": f"{sizes['rows']:,}", "device": options.device, "size": "toy" if options.small else "full"}
    record = Record("gpu", "GPU", sentence(__doc__), said)
    record.commit = options.commit or record.commit
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
    if record.commit == "unknown":  # it may be any code
        return
    if (known.commit, known.machine, known.conditions) == (record.commit, record.machine, record.conditions):
        record.rows.extend(known.rows)


if __name__ == "__main__":
    sys.exit(main())
