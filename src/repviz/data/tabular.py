"""The tabular recipe: what the financial columns of the pickled tables become before a model sees them.

Three ratios and a country make, in this order: the ratios (asset turnover as ``log1p``), a flag for each that was
missing, their three pairwise products, their robust z-score and their rank within the country, and the country one-hot.
Every number that this takes (medians, percentiles, ...) is fitted on training rows and only applied to others.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from repviz.errors import DataError, UserError

log = logging.getLogger("repviz.data")

RECIPE_VERSION = 1
"""Grows with every change of what ``fit`` or ``transform`` give; statistics of another version are refused."""

TURNOVER = "asset_turnover"
RATIOS = ("net_profit_margin", "ebitda_margin", TURNOVER)
COUNTRY = "country_code"

_LARGEST_RATIO = 1e18
"""Ratios are held to this size, so that the product of two is finite in float32."""
_MAD_TO_STD = 1.4826
"""The standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True)
class TabularRecipe:
    """Settings of the recipe.

    Attributes:
        clip_percentiles: ratios are clipped at these percentiles of the known training values.
        min_country_rows: countries with fewer training rows share one column, ``country_other``, and are compared with
            all training rows instead of with their own.
        max_z: robust z-scores are clipped at plus and minus this.
        max_rank_values: sorted training values kept per country to rank by; of more, evenly spaced ones are kept, and
            a rank is off by at most one part in this many.
    """

    clip_percentiles: tuple[float, float] = (0.5, 99.5)
    min_country_rows: int = 10
    max_z: float = 10.0
    max_rank_values: int = 1001

    def __post_init__(self) -> None:
        low, high = self.clip_percentiles
        if not 0 <= low < high <= 100:
            raise UserError(f"clip_percentiles is {self.clip_percentiles}; it takes two rising numbers from 0 to 100")
        if self.min_country_rows < 1 or self.max_z <= 0 or self.max_rank_values < 2:
            raise UserError("min_country_rows must be at least 1, max_z above 0, max_rank_values at least 2")

    def fit(self, columns: Mapping[str, np.ndarray], countries: Sequence[str | None]) -> dict[str, Any]:
        """Give the statistics of training rows, as plain JSON types.

        Args:
            columns: the three ratios by name, each ``(n,)``; NaN, infinite and 0 are missing.
            countries: ``(n,)`` country codes, None or "" where unknown.

        Raises:
            DataError: a ratio is not there.
        """
        codes = _codes(countries)
        counts = Counter(code for code in codes.tolist() if code)
        common = sorted(code for code, count in counts.items() if count >= self.min_country_rows)
        settings = asdict(self) | {"clip_percentiles": list(self.clip_percentiles)}
        statistics = {"recipe_version": RECIPE_VERSION, "settings": settings, "countries": common, "ratios": {}}
        for name in RATIOS:
            statistics["ratios"][name] = self._fit_ratio(name, _known(name, columns), codes, common)
        return statistics

    def _fit_ratio(self, name: str, values: np.ndarray, codes: np.ndarray, common: Sequence[str]) -> dict[str, Any]:
        known = ~np.isnan(values)
        if not known.any():
            log.warning("tabular: %s has no known value in any training row; it becomes a constant", name)
            return {"median": 0.0, "country_medians": {}, "clip": [0.0, 0.0], "all": _distribution([], 2), "within": {}}
        values, codes = values[known], codes[known]
        low, high = (float(p) for p in np.percentile(values, self.clip_percentiles))
        clipped = np.clip(values, low, high)
        return {
            "median": float(np.median(values)),
            "country_medians": {code: float(np.median(values[codes == code])) for code in np.unique(codes) if code},
            "clip": [low, high],
            "all": _distribution(clipped, self.max_rank_values),
            "within": {
                code: _distribution(clipped[codes == code], self.max_rank_values)
                for code in common
                if (codes == code).sum() >= self.min_country_rows
            },
        }


def transform(
    columns: Mapping[str, np.ndarray], countries: Sequence[str | None], statistics: Mapping[str, Any]
) -> np.ndarray:
    """Apply fitted statistics to rows, of training or not.

    Args:
        columns: the three ratios by name, each ``(n,)``; NaN, infinite and 0 are missing, and so is a turnover below 0
            (sales over assets cannot be negative), which keeps ``log1p`` in its domain.
        countries: ``(n,)`` country codes, None or "" where unknown; unseen ones count as ``country_other``.
        statistics: what ``TabularRecipe.fit`` gave.

    Returns:
        ``(n, n_tabular)`` float32, finite, columns as ``feature_names`` has them.

    Raises:
        DataError: a ratio is not there, or the statistics are of another version of the recipe.
    """
    _check_version(statistics)
    codes = _codes(countries)
    max_z = statistics["settings"]["max_z"]
    ratios, flags, scores, ranks = [], [], [], []
    for name in RATIOS:
        values, fitted = _known(name, columns), statistics["ratios"][name]
        missing = np.isnan(values)
        values = np.clip(np.where(missing, _medians(codes, fitted), values), *fitted["clip"])
        z, rank = _within_country(values, codes, fitted)
        ratios.append(values)
        flags.append(missing)
        scores.append(np.clip(z, -max_z, max_z))
        ranks.append(rank)
    plain = [np.log1p(values) if name == TURNOVER else values for name, values in zip(RATIOS, ratios, strict=True)]
    products = [a * b for a, b in combinations(ratios, 2)]
    features = np.column_stack([*plain, *flags, *products, *scores, *ranks, *_one_hot(codes, statistics["countries"])])
    return features.astype(np.float32)


def feature_names(statistics: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the columns that ``transform`` gives.

    Raises:
        DataError: the statistics are of another version of the recipe.
    """
    _check_version(statistics)
    return (
        *(f"{name}_log1p" if name == TURNOVER else name for name in RATIOS),
        *(f"{name}_missing" for name in RATIOS),
        *(f"{a}_x_{b}" for a, b in combinations(RATIOS, 2)),
        *(f"{name}_country_z" for name in RATIOS),
        *(f"{name}_country_rank" for name in RATIOS),
        *(f"country_{code}" for code in statistics["countries"]),
        "country_other",
        "country_missing",
    )


def _known(name: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Give a ratio as float64 with NaN for all that counts as missing."""
    if name not in columns:
        raise DataError(f"the column {name} is missing; the tabular recipe takes {', '.join(RATIOS)}")
    values = np.asarray(columns[name], dtype=np.float64)
    usable = np.isfinite(values) & (values != 0)
    if name == TURNOVER:
        usable &= values > 0
    return np.where(usable, np.clip(values, -_LARGEST_RATIO, _LARGEST_RATIO), np.nan)


def _codes(countries: Sequence[str | None]) -> np.ndarray:
    """Country codes in capitals, "" for unknown."""
    return np.array([(code or "").strip().upper() for code in countries], dtype=object)


def _distribution(values: Sequence[float] | np.ndarray, max_values: int) -> dict[str, Any]:
    """Median, robust scale and sorted values of one group of training rows."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if not len(ordered):
        return {"median": 0.0, "scale": 0.0, "sorted": []}
    median = float(np.median(ordered))
    scale = _MAD_TO_STD * float(np.median(np.abs(ordered - median)))
    if len(ordered) > max_values:
        ordered = ordered[np.linspace(0, len(ordered) - 1, max_values).round().astype(int)]
    return {"median": median, "scale": scale, "sorted": ordered.tolist()}


def _medians(codes: np.ndarray, fitted: Mapping[str, Any]) -> np.ndarray:
    """What fills a missing value of each row: its country's median, else the median of all."""
    medians = fitted["country_medians"]
    return np.array([medians.get(code, fitted["median"]) for code in codes.tolist()], dtype=np.float64)


def _within_country(values: np.ndarray, codes: np.ndarray, fitted: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Robust z-score, and the mid-rank in [0, 1] among the training rows of the country (of all, where it is rare).

    Where half of a country's values are equal its scale is 0, and the scale of all stands in for it, or 1.
    """
    z, rank = np.empty(len(values)), np.empty(len(values))
    own = np.array([code if code in fitted["within"] else "" for code in codes.tolist()], dtype=object)
    for code in sorted(set(own.tolist())):
        rows = own == code
        group = fitted["within"][code] if code else fitted["all"]
        scale = group["scale"] or fitted["all"]["scale"] or 1.0
        with np.errstate(over="ignore"):  # an overflow is infinite, and clipped
            z[rows] = (values[rows] - group["median"]) / scale
        rank[rows] = _mid_rank(values[rows], np.array(group["sorted"], dtype=np.float64))
    return z, rank


def _mid_rank(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Give the share of ``ordered`` below each value plus half the share equal to it."""
    if not len(ordered):
        return np.full(len(values), 0.5)
    below = np.searchsorted(ordered, values, side="left")
    up_to = np.searchsorted(ordered, values, side="right")
    return (below + up_to) / (2 * len(ordered))


def _one_hot(codes: np.ndarray, common: Sequence[str]) -> list[np.ndarray]:
    known = [codes == code for code in common]
    missing = codes == ""
    other = ~missing & ~np.logical_or.reduce([*known, np.zeros(len(codes), dtype=bool)])
    return [*known, other, missing]


def _check_version(statistics: Mapping[str, Any]) -> None:
    version = statistics.get("recipe_version")
    if version != RECIPE_VERSION:
        raise DataError(
            f"statistics of the tabular recipe version {version}; this repviz applies version {RECIPE_VERSION}: "
            "train again, or use the repviz that trained the model"
        )
