"""A made-up but realistic run, written through the store, that can grow while a page looks at it."""

import dataclasses
from pathlib import Path

import numpy as np
import xarray as xr

from repviz.store.artifacts import now, write_artifact
from repviz.store.metrics_table import write_metrics
from repviz.store.run_folder import identity, write_run_file
from repviz.store.sample_file import write_sample

_NAMES = """
admin comm database devel doc editors education electronics games gnome graphics httpd kernel mail math net science
sound utils web
"""
CLASSES = _NAMES.split()
_WORDS = "fast small library tool for reading writing data network image sound text parser"
LAYERS = ["input", "block1", "block2", "block3", "penultimate", "logits"]
STEPS = 50


@dataclasses.dataclass
class SyntheticRun:
    """A run of ``n`` points whose classes drift apart, later layers more than earlier ones."""

    path: Path
    n: int = 3000
    classes: tuple[str, ...] = tuple(CLASSES)
    layers: tuple[str, ...] = tuple(LAYERS)
    max_epochs: int = 12
    methods: tuple[str, ...] = ("pca", "umap")
    kinds: tuple[str, ...] = ("projection",)
    aliased: bool = False
    """Whether the layer before the last is that before it by another name, as penultimate is a block's."""
    facts: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(7)
        n_classes = len(self.classes)
        self.labels = rng.integers(0, n_classes, self.n)
        self.labels[-self.n // 40 :] = -1
        self.split = np.where(rng.random(self.n) < 0.2, 1, 0).astype(np.int8)
        self.split[-self.n // 12 :] = 2
        angle = np.arange(n_classes) * 2.4
        centers = np.stack([np.cos(angle), np.sin(angle)], 1) * np.sqrt(1 + np.arange(n_classes))[:, None]
        self.centers = np.vstack([centers, np.zeros((1, 2))])
        self.noise = rng.normal(size=(len(self.layers), self.n, 2))
        self.rows: list[dict[str, float]] = []
        self.path.mkdir(parents=True)
        self._write_sample(rng)
        self.say("running")

    def say(self, state: str, **more: object) -> None:
        """Write ``run.json``."""
        last = self.rows[-1]["epoch"] if self.rows else 0
        self.facts |= {"state": state, **more}
        content = identity() | {
            "classes": list(self.classes),
            "layers": list(self.layers),
            "kinds": list(self.kinds),
            "max_epochs": self.max_epochs,
            "progress": {"epoch": last, "step": last * STEPS, "steps_per_epoch": STEPS},
            "data": {"path": "data/packages.npz"},
            "monitor": "val_accuracy",
            "started": now(),
        }
        write_run_file(self.path, content | self.facts)

    def coordinates(self, epoch: int) -> np.ndarray:
        """``(layer, method, sample, component)``: smooth in epoch, apart by class as training goes on."""
        learned = 1 - np.exp(-epoch / 4)
        depth = np.linspace(0.15, 1, len(self.layers))
        maps = []
        for layer, noise in enumerate(self.noise):
            pull = 0.25 + 2.2 * depth[layer] * (learned if layer else 0.3)
            turn = 0.05 * epoch * depth[layer] if layer else 0.0
            rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            points = (self.centers[self.labels] * pull + noise * (1.6 - 0.7 * learned * depth[layer])) @ rotation
            # Different looks: UMAP in its own units, PCA growing with the activations.
            maps.append([points * (1 + depth[layer] * learned) * [1.6, 1], points + 5][: len(self.methods)])
        if self.aliased:
            maps[-3] = maps[-2]
        return np.array(maps, np.float32)

    def write_metrics(self, epoch: int) -> None:
        """Add the metrics row of ``epoch``."""
        learned = 1 - np.exp(-epoch / 4)
        row = {
            "epoch": epoch,
            "step": epoch * STEPS,
            "val_loss": 3.0 - 2.0 * learned + 0.004 * epoch**1.5,
            "val_accuracy": 0.05 + 0.67 * learned - 0.0005 * epoch,
            "val_f1_macro": 0.03 + 0.66 * learned,
            "val_f1_confidence": 0.03 + 0.69 * learned,
        }
        if epoch:
            row |= {
                "train_loss": 2.9 - 2.3 * learned,
                "train_accuracy": 0.06 + 0.83 * learned,
                "excl_loss": 3.1 - 1.2 * learned,
                "excl_accuracy": 0.05 + 0.45 * learned,
                "lr": 1e-3 * (1 + np.cos(np.pi * epoch / self.max_epochs)) / 2,
                "grad_norm": 0.6 + 1.5 * np.exp(-epoch / 3),
            }
        self.rows.append(row)
        write_metrics(self.path, self.rows)

    def write_epoch(self, epoch: int) -> None:
        """Metrics, projection and progress of ``epoch``, in the order that training writes them."""
        self.write_metrics(epoch)
        self.write_projection(epoch)
        if "prediction" in self.kinds:
            self.write_prediction(epoch)
        self.say(self.facts["state"])

    def write_projection(self, epoch: int) -> None:
        """The artifact of ``epoch``."""
        shape = (len(self.layers), len(self.methods))
        depth = np.linspace(0, 0.02, shape[0])[:, None]
        trust = np.full(shape, 0.93) - depth - np.array([0.1, 0.0])[: shape[1]]
        explained = np.tile([0.21, 0.12, 0.07, 0.05, 0.04, 0.03], (shape[0], 1))
        dataset = xr.Dataset(
            {
                "coordinates": (("layer", "method", "sample", "component"), self.coordinates(epoch)),
                "trustworthiness": (("layer", "method"), trust),
                "trustworthiness_chance": (("layer", "method"), np.full(shape, 0.51)),
                "continuity": (("layer", "method"), np.full(shape, 0.95)),
                "explained_variance_ratio": (("layer", "pc"), explained),
                "neighbors": (("layer", "sample", "k"), self.neighbors()),
                "label": ("sample", self.labels),
                "split": ("sample", self.split),
                "class_name": ("class", np.array(self.classes)),
            },
            {"layer": list(self.layers), "method": list(self.methods)},
        )
        write_artifact(self.path, "projection", epoch, dataset, step=epoch * STEPS, version=1)

    def neighbors(self) -> np.ndarray:
        """``(layer, sample, k)``: the rows that follow, each layer beginning one later."""
        first = 1 + np.arange(len(self.layers))[:, None, None]
        return ((first + np.arange(self.n)[:, None] + np.arange(4)) % self.n).astype(np.int32)

    def logits(self, epoch: int) -> np.ndarray:
        """``(sample, class)``: surer of the label as training goes on, never sure of all."""
        made = np.random.default_rng(11).normal(size=(self.n, len(self.classes)))
        known = self.labels >= 0
        made[known, self.labels[known]] += 3.5 * (1 - np.exp(-epoch / 4))
        return made.astype(np.float32)

    def write_prediction(self, epoch: int) -> None:
        """The prediction of ``epoch``; the points of the sample stand for the val set."""
        logits = self.logits(epoch)
        share = np.exp(logits - logits.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        predicted, confidence = logits.argmax(axis=1), share.max(axis=1)
        known = self.labels >= 0
        loss = np.where(known, -np.log(share[np.arange(self.n), np.maximum(self.labels, 0)]), np.nan)
        val = known & (self.split == 1)
        confusion = np.zeros((len(self.classes),) * 2, np.int64)
        np.add.at(confusion, (self.labels[val], predicted[val]), 1)
        right = predicted == self.labels
        edges = np.linspace(0, 1, 6)
        of_bin = np.clip(np.searchsorted(edges, confidence[val]) - 1, 0, 4)
        count = np.bincount(of_bin, minlength=5)
        with np.errstate(invalid="ignore"):
            bins = [np.bincount(of_bin, v, 5) / count for v in (confidence[val], right[val].astype(float))]
        dataset = xr.Dataset(
            {
                "logits": (("sample", "class"), logits, {"long_name": "logits", "units": "1"}),
                "loss": ("sample", loss.astype(np.float32), {"long_name": "loss of the point", "units": "nat"}),
                "confidence": ("sample", confidence, {"long_name": "probability of the predicted class", "units": "1"}),
                "correct": ("sample", np.where(known, right, np.nan).astype(np.float32), {"units": "1"}),
                "label": ("sample", self.labels),
                "confusion": (("class", "class_predicted"), confusion),
                "accuracy": ((), float(right[val].mean()) if val.any() else np.nan),
                "bin_edge": ("edge", edges),
                "bin_count": ("bin", count),
                "bin_confidence": ("bin", bins[0]),
                "bin_accuracy": ("bin", bins[1]),
                "calibration_error": ((), 0.1),
                "class_name": ("class", np.array(self.classes)),
            },
            attrs={"evaluated_on": "val points of the sample"},
        )
        write_artifact(self.path, "prediction", epoch, dataset, step=epoch * STEPS, version=1)

    def _write_sample(self, rng: np.random.Generator) -> None:
        words = np.array(_WORDS.split())
        texts = [" ".join(rng.choice(words, 9)) for _ in range(self.n)]
        texts[0] = "<img src=x onerror=\"document.body.dataset.hacked='1'\">"
        write_sample(
            self.path,
            xr.Dataset(
                {
                    "index": ("sample", np.arange(self.n)),
                    "id": ("sample", np.array([f"package-{i:04d}" for i in range(self.n)])),
                    "split": ("sample", self.split),
                    "label": ("sample", self.labels),
                    "text": ("sample", np.array(texts)),
                    "tabular": (("sample", "column"), rng.normal(size=(self.n, 2)).astype(np.float32)),
                },
                {"column": ["size", "depends"]},
            ),
        )
