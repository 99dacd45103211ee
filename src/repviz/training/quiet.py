"""Which of Lightning's log lines and warnings are left out."""

import logging
import warnings

from lightning.pytorch.utilities import rank_zero_only

from repviz import logs

_NOISE = ("💡", "Tip:", "Seed set to", "GPU available", "TPU available", "Loading `train_dataloader`", "`weights_only`")


def quieten() -> None:
    """Leave out Lightning's advertisements, and advice that does not apply to tensors in memory."""
    if rank_zero_only.rank > 0:  # rank zero of the same run says the same
        logs.show("repviz", logging.WARNING)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logs.show(name)
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(_is_news)
    warnings.filterwarnings("ignore", message="(?s).*instantiate_classes.*deprecated.*")
    warnings.filterwarnings("ignore", message=".*By default only one JsonargparseDeprecationWarning.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
    # sys.argv stays as the user typed it: other ranks are started with it. LightningCLI warns of any difference.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter.*")
    # Evaluating needs the weights only, and predictions carry their rows with them.
    warnings.filterwarnings("ignore", message=".*callbacks used to create the checkpoint need to be provided.*")
    warnings.filterwarnings("ignore", message="Couldn't infer the batch indices.*")
    warnings.filterwarnings("ignore", message=".*isinstance\\(treespec, LeafSpec\\).*")


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().lstrip().startswith(_NOISE)
