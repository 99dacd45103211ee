"""Checkpoints as they lie on the disk."""

import torch

from repviz.training.checkpoint_io import DurableCheckpointIO


def test_checkpoints_have_checksums_whatever_a_script_has_set(tmp_path):
    path, there = tmp_path / "last.ckpt", torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        DurableCheckpointIO().save_checkpoint({"weight": torch.ones(3)}, path)
        assert not torch.serialization.get_crc32_options()
    finally:
        torch.serialization.set_crc32_options(there)
    assert torch.equal(DurableCheckpointIO().load_checkpoint(path)["weight"], torch.ones(3))
