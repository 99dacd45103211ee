"""A map that is saved is the map that is seen: as PNG, as SVG, and as coordinates."""

import re

import numpy as np
import pandas as pd
from PIL import Image
from playwright.sync_api import expect

from repviz.store.artifacts import read_artifact
from repviz.store.sample_file import read_sample
from tests.dashboards.browser.watching import SLOW, colored, pixels, wait_for_maps

LAYER = "block2"


def save(page, label, folder):
    """Choose from the map's list; gives the file that the browser saves."""
    shown = page.locator(f'.map[data-layer="{LAYER}"]:visible')
    shown.locator("summary").click()
    with page.expect_download(timeout=SLOW) as download:
        shown.get_by_label(label, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    expect(shown.locator(".map-choices")).to_be_hidden()
    return path


def points(svg):
    """Points in an SVG by their colour, in the part that is the map."""
    inside = svg.partition("<g ")[2].partition("</g>")[0]
    return {color: path.count("M") for path, color in re.findall(r'<path d="([^"]+)" fill="(#\w+)"', inside)}


def test_what_is_seen_is_what_is_saved(watched, trained, shots, tmp_path):
    page = watched.open(trained, "page=representations&epoch=3&method=pca&axes=free")
    wait_for_maps(page, 3)
    labels, colors = read_sample(trained.path)["label"].values, page.evaluate("repviz.data.manifest.colors")

    svg = save(page, "save as SVG", tmp_path)
    assert svg.name == f"20250101_120000_{LAYER}_pca_epoch_3.svg"
    text = svg.read_text("utf-8")
    assert points(text)[colors[0]] == (labels == 0).sum()
    assert sum(points(text).values()) == len(labels)
    assert f">{LAYER}</text>" in text
    assert "PCA · epoch 3" in text

    png = save(page, "save as PNG", tmp_path)
    with Image.open(png) as image:
        picture = np.asarray(image.convert("RGBA"))
    drawn = pixels(page, LAYER)
    share = picture.shape[0] * picture.shape[1] / (drawn.shape[0] * drawn.shape[1])
    assert share > 4  # twice as dense, and with room for title and legend
    for color in colors[:3]:
        assert 0.3 < colored(picture, color) / (4 * colored(drawn, color)) < 3

    csv = save(page, "save the coordinates as CSV", tmp_path)
    table = pd.read_csv(csv)
    expected = read_artifact(trained.path, "projection", 3)["coordinates"].sel({"layer": LAYER, "method": "pca"})
    assert list(table.columns) == ["sample", "component", "coordinates"]
    np.testing.assert_allclose(table["coordinates"], expected.values.ravel(), rtol=1e-5)
    (shots / "saved_map.png").write_bytes(png.read_bytes())


def test_filters_and_full_screen(watched, trained, tmp_path):
    page = watched.open(trained, "page=representations&epoch=3&classes=0,1&color=prediction.confidence")
    wait_for_maps(page, 3)
    labels = read_sample(trained.path)["label"].values
    text = save(page, "save as SVG", tmp_path).read_text("utf-8")
    assert sum(points(text).values()) == np.isin(labels, (0, 1)).sum()
    assert "confidence, epoch 3" in text
    shown = page.locator(f'.map[data-layer="{LAYER}"]:visible')
    shown.locator("summary").press("Enter")
    page.keyboard.press("Escape")
    expect(shown.locator(".map-choices")).to_be_hidden()
    shown.locator("summary").press("Enter")
    shown.get_by_label("full screen", exact=True).press("Enter")
    page.wait_for_function(f"document.fullscreenElement?.dataset.layer === '{LAYER}'", timeout=SLOW)
