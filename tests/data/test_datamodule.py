"""What the data module makes of arrays: every split on the scale of the training rows."""

import numpy as np
from sklearn.preprocessing import StandardScaler

from repviz.data.datamodule import EmbeddingDataModule


def test_every_split_is_scaled_by_the_training_rows_as_scikit_learn_does(tmp_path):
    random = np.random.default_rng(0)
    arrays = {"classes": np.array(["a", "b"])}
    for split, n, shift in (("train", 60, 5), ("val", 40, -3)):
        arrays[f"X_{split}_embed"] = (shift + shift * random.normal(size=(n, 4))).astype(np.float32)
        arrays[f"financial_{split}"] = (100 * shift + random.normal(size=(n, 2))).astype(np.float32)
        arrays[f"y_{split}"] = np.arange(n) % 2
    np.savez(tmp_path / "shifted.npz", **arrays)
    module = EmbeddingDataModule(str(tmp_path / "shifted.npz"), standardize="always")
    module.setup("fit")
    for number, key in enumerate(("X_{}_embed", "financial_{}")):
        scaler = StandardScaler().fit(arrays[key.format("train")])
        for split in ("train", "val"):
            expected = scaler.transform(arrays[key.format(split)])
            np.testing.assert_allclose(module.rows(split).inputs[number], expected, rtol=1e-4, atol=1e-4)
