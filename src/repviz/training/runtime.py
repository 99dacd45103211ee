"""Settings of the machine rather than of the model."""

import importlib.util
import logging
from typing import Literal

import torch
from jsonargparse.typing import PositiveInt
from lightning.pytorch import Callback, LightningModule, Trainer

from repviz.errors import UserError

log = logging.getLogger("repviz")


class Runtime(Callback):
    """Threads, precision of matrix products, cuDNN's search, compilation."""

    def __init__(
        self,
        torch_threads: PositiveInt | None = None,
        float32_matmul_precision: Literal["highest", "high", "medium"] = "highest",
        cudnn_benchmark: bool = False,
        compile: Literal["never", "auto", "always", "cuda_graphs"] = "never",
    ) -> None:
        """Nothing is set before training starts.

        Args:
            torch_threads: threads of each torch operation on the CPU; left out, torch decides.
            float32_matmul_precision: high and medium let CUDA use TF32 or bfloat16 inside float32 products.
            cudnn_benchmark: whether cuDNN tries its algorithms out first.
            compile: the network, by torch.compile: auto where it pays (on CUDA, where Triton is installed), always on
                whatever it is trained, cuda_graphs on CUDA with the kernels of a step launched at once
                (``mode="reduce-overhead"``).
        """
        self.torch_threads = torch_threads
        self.float32_matmul_precision = float32_matmul_precision
        self.cudnn_benchmark = cudnn_benchmark
        self.compile = compile

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Apply the process-wide settings."""
        if self.torch_threads is not None:
            torch.set_num_threads(self.torch_threads)
        torch.set_float32_matmul_precision(self.float32_matmul_precision)
        torch.backends.cudnn.benchmark = self.cudnn_benchmark

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compile in place, so that names in the checkpoint stay.

        Raises:
            UserError: CUDA graphs are asked for where there are none, or where gradients of several batches add up.
        """
        if self.compile == "never":
            return
        if self.compile == "cuda_graphs" and trainer.accumulate_grad_batches > 1:
            raise UserError(
                "runtime.compile=cuda_graphs does not go with trainer.accumulate_grad_batches over 1: a graph that is "
                "launched again overwrites the gradients of the batch before; always does"
            )
        lacking = pl_module.device.type != "cuda" or importlib.util.find_spec("triton") is None
        if lacking and self.compile == "cuda_graphs":
            raise UserError("runtime.compile=cuda_graphs needs a CUDA device and Triton; auto, always and never do not")
        if lacking and self.compile == "auto":
            log.info("runtime.compile=auto: not compiled, that pays on a CUDA device with Triton; always would do it")
            return
        how = {"mode": "reduce-overhead"} if self.compile == "cuda_graphs" else {}
        for child in pl_module.children():
            if any(True for _ in child.parameters()):
                child.compile(**how)
