"""The tabular recipe against pandas and NumPy on small cases, and its promise to learn from training rows alone."""

import json

import numpy as np
import pandas as pd
import pytest

from repviz.data.tabular import RATIOS, RECIPE_VERSION, TabularRecipe, feature_names, transform
from repviz.errors import DataError, UserError

MARGIN, EBITDA, TURNOVER = RATIOS


def columns(margin, ebitda=None, turnover=None):
    n = len(margin)
    given = {MARGIN: margin, EBITDA: ebitda or [1.0] * n, TURNOVER: turnover or [1.0] * n}
    return {name: np.array(values, dtype=np.float64) for name, values in given.items()}


def random_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    values = {name: rng.lognormal(size=n) * rng.choice([1, 1, -1], n) for name in RATIOS}
    values[TURNOVER] = abs(values[TURNOVER])
    for column in values.values():
        column[rng.random(n) < 0.1] = rng.choice([np.nan, np.inf, -np.inf, 0.0])
    countries = rng.choice(["DE", "fr", " US ", "IT", "", None], n, p=[0.4, 0.3, 0.15, 0.05, 0.05, 0.05]).tolist()
    return values, countries


def features(data, countries, statistics):
    return dict(zip(feature_names(statistics), transform(data, countries, statistics).T, strict=True))


def test_missing_values_are_flagged_and_filled_by_country_then_by_all():
    data = columns([1.0, 3.0, np.nan, 0.0, np.inf, -np.inf, 10.0, 5.0])
    countries = ["A", "A", "A", "B", "B", None, "C", "C"]
    recipe = TabularRecipe(clip_percentiles=(0, 100), min_country_rows=1)
    statistics = recipe.fit(data, countries)
    got = features(data, countries, statistics)
    # A: median of 1 and 3; B has no known value and None is no country: median of 1, 3, 5, 10.
    assert got[MARGIN].tolist() == [1, 3, 2, 4, 4, 4, 10, 5]
    assert got[f"{MARGIN}_missing"].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert got[f"{EBITDA}_missing"].sum() == 0


def test_medians_are_those_of_pandas():
    data, countries = random_rows(400)
    statistics = TabularRecipe().fit(data, countries)
    frame = pd.DataFrame(data).replace([np.inf, -np.inf, 0], np.nan)
    frame["country"] = [(code or "").strip().upper() or None for code in countries]
    for name in RATIOS:
        assert statistics["ratios"][name]["median"] == frame[name].median()
        assert statistics["ratios"][name]["country_medians"] == frame.groupby("country")[name].median().to_dict()


def test_clipping_at_the_percentiles_of_the_known_values():
    values = np.linspace(1, 100, 1000)
    data = columns(np.append(values, [np.nan] * 500).tolist())
    statistics = TabularRecipe().fit(data, ["A"] * 1500)
    low, high = np.percentile(values, [0.5, 99.5])
    new = features(columns([-1e9, 1e9, 50.0]), ["A"] * 3, statistics)
    np.testing.assert_array_equal(new[MARGIN], np.array([low, high, 50], dtype=np.float32))


def test_log_of_turnover_and_products():
    data = columns([2.0, 4.0], [3.0, 5.0], [0.5, 7.0])
    statistics = TabularRecipe(clip_percentiles=(0, 100)).fit(data, ["A", "A"])
    got = features(data, ["A", "A"], statistics)
    np.testing.assert_allclose(got[f"{TURNOVER}_log1p"], np.log([1.5, 8.0]), rtol=1e-6)
    np.testing.assert_allclose(got[f"{MARGIN}_x_{EBITDA}"], [6, 20])
    np.testing.assert_allclose(got[f"{MARGIN}_x_{TURNOVER}"], [1, 28])
    np.testing.assert_allclose(got[f"{EBITDA}_x_{TURNOVER}"], [1.5, 35])


def test_a_negative_turnover_is_missing_and_a_negative_margin_is_not():
    data = columns([-2.0, 4.0, 1.0], turnover=[-0.999, 2.0, 3.0])
    statistics = TabularRecipe(clip_percentiles=(0, 100)).fit(data, ["A"] * 3)
    got = features(data, ["A"] * 3, statistics)
    assert got[f"{TURNOVER}_missing"].tolist() == [1, 0, 0]
    np.testing.assert_allclose(got[f"{TURNOVER}_log1p"][0], np.log1p(2.5), rtol=1e-6)
    assert got[MARGIN][0] == -2
    worst = features(columns([1.0], turnover=[-5.0]), ["A"], statistics)
    assert np.isfinite(worst[f"{TURNOVER}_log1p"]).all()


def test_robust_z_score_within_the_country():
    data = columns([1.0, 2.0, 3.0, 4.0, 100.0, 10.0, 20.0, 30.0])
    countries = ["A"] * 5 + ["B"] * 3
    statistics = TabularRecipe(clip_percentiles=(0, 100), min_country_rows=3, max_z=5).fit(data, countries)
    z = features(data, countries, statistics)[f"{MARGIN}_country_z"]
    # A: median 3, absolute deviations 2 1 0 1 97, their median 1. B: median 20, median deviation 10.
    expected = [-2 / 1.4826, -1 / 1.4826, 0, 1 / 1.4826, 5, -1 / 1.4826, 0, 1 / 1.4826]
    np.testing.assert_allclose(z, expected, rtol=1e-6)


def test_z_score_where_half_of_a_country_is_equal():
    data = columns([5.0, 5.0, 5.0, 6.0, 1.0, 2.0, 3.0, 9.0])
    countries = ["A"] * 4 + ["B"] * 4
    statistics = TabularRecipe(clip_percentiles=(0, 100), min_country_rows=4).fit(data, countries)
    z = features(data, countries, statistics)[f"{MARGIN}_country_z"]
    values = data[MARGIN]
    mad = np.median(abs(values - np.median(values)))
    np.testing.assert_allclose(z[3], (6 - 5) / (1.4826 * mad), rtol=1e-6)
    constant = TabularRecipe().fit(columns([7.0] * 4), ["A"] * 4)
    assert features(columns([7.0, 8.0]), ["A"] * 2, constant)[f"{MARGIN}_country_z"].tolist() == [0, 0]


def test_ranks_are_those_of_pandas_and_a_new_row_takes_its_place_among_the_training_rows():
    data, countries = random_rows(300, seed=3)
    recipe = TabularRecipe(clip_percentiles=(0, 100), min_country_rows=5)
    statistics = recipe.fit(data, countries)
    got = features(data, countries, statistics)
    frame = pd.DataFrame(data).replace([np.inf, -np.inf, 0], np.nan)
    frame["country"] = [(code or "").strip().upper() for code in countries]
    for name in RATIOS:
        group = frame[frame["country"] != ""].groupby("country")[name]
        expected = (group.rank() - 0.5) / group.transform("count")
        known = frame[name].notna() & (frame["country"] != "")
        np.testing.assert_allclose(got[f"{name}_country_rank"][known], expected[known], atol=1e-6)
    de = np.sort(frame.loc[frame["country"] == "DE", MARGIN].dropna())
    between = (de[9] + de[10]) / 2
    rank = features(columns([between, -1e9, 1e9]), ["DE"] * 3, statistics)[f"{MARGIN}_country_rank"]
    np.testing.assert_allclose(rank[0], 10 / len(de), atol=1e-6)
    # Clipped to the lowest and highest of all countries, which may be this one's.
    assert rank[1] <= 0.5 / len(de) + 1e-6
    assert rank[2] >= 1 - 0.5 / len(de) - 1e-6


def test_rare_unseen_and_unknown_countries_are_compared_with_all_rows():
    data, countries = random_rows(300, seed=4)
    statistics = TabularRecipe(min_country_rows=40).fit(data, countries)
    assert statistics["countries"] == ["DE", "FR", "US"]
    got = features(columns([0.7] * 5), ["it", "XX", None, "  ", "de"], statistics)
    for name in (f"{MARGIN}_country_z", f"{MARGIN}_country_rank"):
        assert len(set(got[name][:4].tolist())) == 1
        assert got[name][4] != got[name][0]
    assert got["country_other"].tolist() == [1, 1, 0, 0, 0]
    assert got["country_missing"].tolist() == [0, 0, 1, 1, 0]
    assert got["country_DE"].tolist() == [0, 0, 0, 0, 1]
    one_hot = np.stack([values for name, values in got.items() if name.startswith("country_")])
    assert (one_hot.sum(axis=0) == 1).all()


def test_names_and_shape():
    data, countries = random_rows(50)
    statistics = TabularRecipe().fit(data, countries)
    got = transform(data, countries, statistics)
    assert got.dtype == np.float32
    assert got.shape == (50, len(feature_names(statistics)))
    assert len(set(feature_names(statistics))) == got.shape[1]
    assert np.isfinite(got).all()
    assert transform(*random_rows(0), statistics).shape == (0, got.shape[1])


def test_statistics_are_plain_json_and_survive_it_exactly():
    data, countries = random_rows(200)
    statistics = TabularRecipe(max_rank_values=31).fit(data, countries)
    back = json.loads(json.dumps(statistics, allow_nan=False))
    assert back == statistics
    np.testing.assert_array_equal(transform(data, countries, back), transform(data, countries, statistics))


def test_ranks_out_of_fewer_kept_values_are_near():
    data, countries = random_rows(3000)
    exact = features(data, countries, TabularRecipe(max_rank_values=10**6).fit(data, countries))
    near = features(data, countries, TabularRecipe(max_rank_values=101).fit(data, countries))
    for name in RATIOS:
        assert abs(exact[f"{name}_country_rank"] - near[f"{name}_country_rank"]).max() <= 1 / 100


def test_nothing_of_other_rows_is_learned():
    """A row's features depend on it and on the statistics: not on its neighbours in the same call."""
    data, countries = random_rows(200)
    statistics = TabularRecipe().fit(data, countries)
    together = transform(data, countries, statistics)
    alone = [transform({k: v[i : i + 1] for k, v in data.items()}, countries[i : i + 1], statistics) for i in range(20)]
    np.testing.assert_array_equal(np.concatenate(alone), together[:20])


def test_extreme_numbers_stay_finite():
    data = columns([1e300, -1e300, 1e-300, 5e-324, np.nan], [1e308, 1.0, -1e308, 2.0, 3.0], [1e308, 1e-308, 1, 2, 3])
    for recipe in (TabularRecipe(clip_percentiles=(0, 100), min_country_rows=1), TabularRecipe()):
        statistics = recipe.fit(data, ["A"] * 5)
        json.dumps(statistics, allow_nan=False)
        assert np.isfinite(transform(data, ["A", "B", None, "", "A"], statistics)).all()


def test_a_ratio_that_no_training_row_knows_becomes_a_constant_and_is_said(caplog):
    data = columns([np.nan, 0.0, np.inf])
    statistics = TabularRecipe().fit(data, ["A"] * 3)
    assert f"{MARGIN} has no known value" in caplog.text
    got = features(columns([1.0, np.nan]), ["A"] * 2, statistics)
    assert got[MARGIN].tolist() == [0, 0]
    assert got[f"{MARGIN}_missing"].tolist() == [0, 1]


def test_absent_columns_and_other_versions_are_errors():
    data = columns([1.0, 2.0])
    statistics = TabularRecipe().fit(data, ["A", "B"])
    del data[EBITDA]
    with pytest.raises(DataError, match=EBITDA):
        TabularRecipe().fit(data, ["A", "B"])
    with pytest.raises(DataError, match=EBITDA):
        transform(data, ["A", "B"], statistics)
    other = statistics | {"recipe_version": RECIPE_VERSION + 1}
    with pytest.raises(DataError, match=f"version {RECIPE_VERSION + 1}"):
        transform(columns([1.0]), ["A"], other)
    with pytest.raises(DataError, match="version"):
        feature_names(other)


@pytest.mark.parametrize(
    "settings",
    [
        {"clip_percentiles": (99, 1)},
        {"clip_percentiles": (-1, 50)},
        {"min_country_rows": 0},
        {"max_z": 0},
        {"max_rank_values": 1},
    ],
)
def test_settings_out_of_range(settings):
    with pytest.raises(UserError):
        TabularRecipe(**settings)
