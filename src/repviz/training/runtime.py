"""Settings of the machine rather than of the model."""

import importlib.util
import logging
from typing import Literal

import torch
from jsonargparse.typing import PositiveInt
from lightning.pytorch import Callback, LightningModule, Trainer

log = logging.getLogger("repviz")


class Runtime(Callback):
    """Threads, precision of matrix products, cuDNN's search, compilation."""

    def __init__(
        self,
        torch_threads: PositiveInt | None = None,
        float32_matmul_precision: Literal["highest", "high", "medium"] = "highest",
        cudnn_benchmark: bool = False,
        compile: Literal["never", "auto"] = "never",
    ) -> None:
        """Nothing is set before training starts.

        Args:
            torch_threads: threads of each torch operation on the CPU; left out, torch decides.
            float32_matmul_precision: high and medium let CUDA use TF32 or bfloat16 inside float32 products.
            cudnn_benchmark: whether cuDNN tries its algorithms out first.
            compile: auto compiles the network (torch.compile) on CUDA where Triton is installed.
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
        """Compile in place, so that names in the checkpoint stay."""
        if self.compile == "never":
            return
        if pl_module.device.type != "cuda" or importlib.util.find_spec("triton") is None:
            log.info("runtime.compile=auto: not compiled, it needs a CUDA device and Triton")
            return
        for child in pl_module.children():
            if any(True for _ in child.parameters()):
                child.compile()
