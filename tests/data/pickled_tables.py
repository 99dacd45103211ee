"""Small pickled tables with the defects that real ones have, made from a seed."""

from pathlib import Path

import numpy as np
import pandas as pd

EMBEDDING = "business_description_embedding"
CLASSES = ("alpha", "beta", "gamma")
WIDTH = 6
N_ROWS = 60
NOT_IN_FINANCIALS = 5
NOT_IN_MAIN = 3
WITHOUT_INDUSTRY = 4


def main_table(n: int = N_ROWS, seed: int = 0, form: str = "mixed") -> pd.DataFrame:
    """Rows with embeddings as lists, arrays or texts (``form``), three classes, and some without any."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % len(CLASSES)
    vectors = (rng.normal(size=(n, WIDTH)) + labels[:, None]).astype(np.float32)
    makers = {
        "list": lambda v: v.tolist(),
        "array": lambda v: v,
        "scalars": list,
        "commas": lambda v: str(v.tolist()),
        "spaces": lambda v: "[" + "\n ".join(map(repr, v.tolist())) + "]",
    }
    order = list(makers)[: None if form == "mixed" else 0] or [form]
    cells = [makers[order[row % len(order)]](vector) for row, vector in enumerate(vectors)]
    industries = [CLASSES[label] for label in labels]
    for place, row in enumerate(range(0, 3 * WITHOUT_INDUSTRY, 3)):
        industries[row] = [None, float("nan"), "  ", ""][place]
    ids = [f"r{row:03d}" for row in rng.permutation(n)]
    return pd.DataFrame({"id": ids, EMBEDDING: cells, "industry": industries})


def vectors_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """The embeddings by id, parsed in another way than the program does."""
    parsed = {}
    for name, cell in zip(table["id"], table[EMBEDDING], strict=True):
        if isinstance(cell, str):
            cell = [float(x) for x in cell.strip("[]").replace(",", " ").split()]
        parsed[name] = np.array(cell, dtype=np.float64).astype(np.float32)
    return parsed


def financial_table(ids: list[str], seed: int = 1) -> pd.DataFrame:
    """Ratios and countries of most of ``ids`` in another order, with NaN, inf, 0, missing countries and extra rows."""
    rng = np.random.default_rng(seed)
    ids = [*ids[NOT_IN_FINANCIALS:], *(f"extra{row}" for row in range(NOT_IN_MAIN))]
    n = len(ids)
    ratios = {name: rng.normal(size=n) for name in ("net_profit_margin", "ebitda_margin")}
    ratios["asset_turnover"] = rng.lognormal(size=n).astype(np.float32)
    for values in ratios.values():
        values[rng.choice(n, 6, replace=False)] = [np.nan, np.inf, -np.inf, 0, 0, np.nan]
    countries = rng.choice(["DE", "FR", "US", "IT"], n, p=[0.5, 0.3, 0.15, 0.05]).astype(object)
    countries[rng.choice(n, 5, replace=False)] = None
    table = pd.DataFrame({"id": ids, **ratios, "country_code": countries})
    return table.iloc[rng.permutation(n)]


def write_tables(folder: Path, **main: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write both tables into ``folder``."""
    table = main_table(**main)
    financials = financial_table(table["id"].tolist())
    table.to_pickle(folder / "df_train.pkl")
    financials.to_pickle(folder / "df_financials_train.pkl")
    return table, financials


def write_test_tables(folder):
    table = main_table(seed=9, n=20)
    table["id"] = "t" + table["id"]
    financials = financial_table(table["id"].tolist(), seed=5)
    table.to_pickle(folder / "df_test.pkl")
    financials.to_pickle(folder / "df_financials_test.pkl")
    return table
