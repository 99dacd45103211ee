"""The data lies on the device where it fits there, and its batches are cut there."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

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


def test_a_batch_that_lies_on_the_device_is_left_as_it_is_and_any_other_is_moved():
    module = EmbeddingDataModule("some.npz")
    x, y = torch.zeros(4, 3, device="meta"), torch.zeros(4, device="meta")
    here, there = torch.device("meta"), torch.device("cpu")

    def moved(batch, device=here):
        return module.transfer_batch_to_device(batch, device, 0)

    batch = ((x, x), y)
    assert moved(batch) is batch
    for other in (((torch.zeros(4, 3), x), y), ((x, x), torch.zeros(4))):
        (first, second), targets = moved(other)
        assert {part.device for part in (first, second, targets)} == {here}
    assert moved({"x": torch.zeros(2), "n": 3})["x"].device == here
    assert moved((("a", torch.zeros(2)), y))[0][0] == "a"
    assert moved(torch.zeros(2, 3)).device == here
    on_cpu = ((torch.zeros(4, 3),), torch.zeros(4))
    assert moved(on_cpu, there) is on_cpu


def test_a_module_that_has_a_transfer_of_its_own_keeps_it(packages):
    class Own(LightningModule):
        def __init__(self):
            super().__init__()
            self.linear, self.seen = torch.nn.Linear(384, 20), set()

        def transfer_batch_to_device(self, batch, device, dataloader_idx):
            (x, *_), y = batch
            return {"halved": x / 2, "y": y}

        def training_step(self, batch, batch_idx):
            self.seen.add(tuple(batch))
            return torch.nn.functional.cross_entropy(self.linear(batch["halved"]), batch["y"])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    own = Own()
    trainer = Trainer(accelerator="cpu", max_steps=2, logger=False, enable_checkpointing=False, limit_val_batches=0)
    trainer.fit(own, datamodule=EmbeddingDataModule(str(packages)))
    assert own.seen == {("halved", "y")}
