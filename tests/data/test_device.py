"""The data lies on the device where it fits there, and its batches are cut there."""

from types import SimpleNamespace

import pytest
import torch

from repviz.data.batches import BatchLoader, BatchOrder
from repviz.data.datamodule import EmbeddingDataModule

FREE = 1_000_000
DEVICE = torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("resident", "n_bytes", "on_device"),
    [("auto", FREE // 4, True), ("auto", FREE, False), ("always", FREE, True), ("never", 4, False)],
)
def test_the_data_lies_on_the_gpu_when_it_fits(monkeypatch, resident, n_bytes, on_device):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (FREE, 2 * FREE))
    module = EmbeddingDataModule("some.npz", device_resident=resident)
    strategy = SimpleNamespace(root_device=DEVICE)
    module.trainer = SimpleNamespace(strategy=strategy, global_rank=0, world_size=1)
    monkeypatch.setattr(module, "_arrays", SimpleNamespace(on_disk=False, n_features=4, n_tabular=0))
    found = module._serving.device_for(n_bytes)
    assert found == (DEVICE if on_device else torch.device("cpu"))


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_are_cut_on_the_device_that_the_data_is_on(shuffle):
    # On this device no value can be read, so nothing here depends on one either.
    x, y = torch.zeros(10, 3, device="meta"), torch.zeros(10, dtype=torch.int64, device="meta")
    batches = list(BatchLoader([x], y, BatchOrder(10, 4, shuffle=shuffle)))
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    assert all(part.device.type == "meta" for (inputs,), labels in batches for part in (inputs, labels))
