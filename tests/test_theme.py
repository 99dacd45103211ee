"""Colours that can be told apart and seen, measured; one look in both themes."""

import itertools
from pathlib import Path

import numpy as np
import pytest

import repviz.dashboards
from repviz.palette import CLASS_COLORS
from repviz.theme import (
    DARK,
    LIGHT,
    LOOKS,
    SPLIT_NAMES,
    SPLIT_SIZES,
    SPLIT_SYMBOLS,
    class_colors,
    scale_colors,
    template,
)

# Machado et al. (2009), severity 1, on linear RGB.
DEUTERANOPIA = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
PROTANOPIA = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]


def linear(colors: list[str]) -> np.ndarray:
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colors]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(color: str) -> float:
    return float(linear([color])[0] @ [0.2126, 0.7152, 0.0722])


def contrast(a: str, b: str) -> float:
    """WCAG 2: from 1 (the same) to 21."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson (2020): another perceptual space than the one that the palette was made in."""
    lms = np.cbrt(
        np.clip(rgb, 0, None)
        @ np.array(
            [
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ]
        ).T
    )
    return (
        lms
        @ np.array(
            [
                [0.2104542553, 0.7936177850, -0.0040720468],
                [1.9779984951, -2.4285922050, 0.4505937099],
                [0.0259040371, 0.7827717662, -0.8086757660],
            ]
        ).T
    )


def least_distance(colors: list[str], seen_as: list | None = None) -> float:
    rgb = linear(colors)
    if seen_as is not None:
        rgb = np.clip(rgb @ np.array(seen_as).T, 0, 1)
    lab = oklab(rgb)
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(lab, 2))


def test_the_first_ten_are_petroffs():
    assert class_colors(10) == [
        *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
        *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
    ]


def test_a_class_keeps_its_colour_whatever_their_number():
    assert class_colors(3) == class_colors(200)[:3]
    assert len(set(class_colors(256))) == 256
    assert class_colors(300)[256:] == class_colors(44)
    assert class_colors(0) == []


# Tab10, the usual ten, has 0.113 / 0.023 / 0.007 by the same measure.
@pytest.mark.parametrize(
    ("n", "normal", "deuteranopia", "protanopia"), [(10, 0.09, 0.08, 0.06), (20, 0.09, 0.049, 0.048)]
)
def test_colours_can_be_told_apart(n, normal, deuteranopia, protanopia):
    colors = class_colors(n)
    assert least_distance(colors) >= normal
    assert least_distance(colors, DEUTERANOPIA) >= deuteranopia
    assert least_distance(colors, PROTANOPIA) >= protanopia


def test_even_256_differ():
    assert least_distance(list(CLASS_COLORS)) >= 0.015


def test_points_can_be_seen_on_both_backgrounds():
    assert min(contrast(c, LIGHT.surface) for c in CLASS_COLORS) >= 1.5
    assert min(contrast(c, DARK.surface) for c in CLASS_COLORS) >= 2.0


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_text_and_lines_meet_wcag(look):
    for background in (look.surface, look.page):
        assert contrast(look.text, background) >= 7
        assert contrast(look.muted, background) >= 4.5
        assert contrast(look.accent, background) >= 3
    assert all(contrast(line, look.surface) >= 3 for line in look.splits)


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_the_three_splits_can_be_told_apart(look):
    for seen_as in (None, DEUTERANOPIA, PROTANOPIA):
        assert least_distance(list(look.splits), seen_as) >= 0.08


def test_splits_have_shapes_of_their_own():
    assert len(SPLIT_NAMES) == len(SPLIT_SYMBOLS) == len(SPLIT_SIZES) == 3
    assert len(set(SPLIT_SYMBOLS)) == 3


def test_the_stylesheet_has_the_same_colours():
    css = (Path(repviz.dashboards.__file__).parent / "assets" / "00_theme.css").read_text()
    light, dark = css.split(':root[data-mantine-color-scheme="dark"]')
    for block, look in ((light, LIGHT), (dark, DARK)):
        for name, value in (("page", look.page), ("surface", look.surface), ("text", look.text), ("muted", look.muted)):
            assert f"--{name}: {value};" in block
        assert f"--accent: {look.accent};" in block
        assert f"--line: {look.grid};" in block


def test_templates_use_the_look():
    for name, look in LOOKS.items():
        layout = template(name).layout
        assert layout.paper_bgcolor == look.surface
        assert layout.font.color == look.text
        assert layout.font.family.startswith("Inter")


@pytest.mark.parametrize("theme", LOOKS)
def test_a_scale_leads_evenly_away_from_the_background_and_is_seen_at_both_ends(theme):
    colors = scale_colors(theme)
    contrasts = [contrast(color, LOOKS[theme].surface) for color in colors]
    assert contrasts[0] > {"light": 1.6, "dark": 2.2}[theme]  # as for classes, see palette.py
    assert all(later >= earlier * 0.995 for earlier, later in itertools.pairwise(contrasts))
    lightness = oklab(linear(colors))[:, 0]
    steps = np.abs(np.diff(lightness))
    assert steps.max() < 3 * steps.mean()
