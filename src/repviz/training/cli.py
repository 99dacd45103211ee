"""``repviz fit | validate | test | predict``: LightningCLI with the run's blocks and short errors."""

import difflib
import io
import sys
from contextlib import redirect_stderr
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

from jsonargparse import Namespace
from jsonargparse.typing import OpenUnitInterval, PositiveInt
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from repviz.background.settings import BackgroundSettings
from repviz.callbacks import callback_classes
from repviz.callbacks.baseline import Baseline
from repviz.callbacks.diagnostic import DiagnosticCallback
from repviz.callbacks.early_stopping import EarlyStopping
from repviz.callbacks.logged_figures import LoggedFiguresCallback
from repviz.callbacks.recorder import RunRecorder
from repviz.callbacks.sample import SampleSettings
from repviz.callbacks.video import VideoCallback
from repviz.data.datamodule import EmbeddingDataModule
from repviz.diagnostics.activations import Activations
from repviz.errors import UserError
from repviz.model.classifier import EmbeddingClassifier
from repviz.store.metrics_table import COLUMNS
from repviz.training.accelerator import in_double_precision
from repviz.training.checkpoint_io import DurableCheckpointIO
from repviz.training.no_profiler import NoProfiler
from repviz.training.parser import Parser
from repviz.training.predictions import PredictionWriter
from repviz.training.quiet import quieten
from repviz.training.random_state import RandomState
from repviz.training.recorded_settings import with_settings_of_checkpoint
from repviz.training.refusals import (
    as_user_error,
    no_checkpoint,
    refuse_data_for_settings,
    refuse_no_checkpoint,
    with_the_block_named,
)
from repviz.training.runtime import Runtime
from repviz.version import __version__
from repviz.weights import checkpoint_at

_TRAINER_DEFAULTS = {
    "max_epochs": 50,
    "logger": False,
    # The whole validation set is measured once before training: epoch 0 of the curves.
    "num_sanity_val_steps": -1,
    # The data module shards by itself; Lightning's sampler would pad.
    "use_distributed_sampler": False,
    # Checkpoints are the recorder's, which keeps them in the run folder.
    "enable_checkpointing": True,
    "enable_model_summary": False,
}


class RepvizCLI(LightningCLI):
    """One of the trainer's commands; settings of one run in blocks that layer between files."""

    def __init__(self, command: str, *args: Any, **kwargs: Any) -> None:
        """Args: the command that is run, for each other one's parser would take as long as its own; LightningCLI's."""
        self._command = command
        super().__init__(*args, **kwargs)

    def subcommands(self) -> dict[str, set[str]]:
        """The command, and which arguments of the trainer's method are no settings."""
        return {self._command: super().subcommands()[self._command]}

    def add_arguments_to_parser(self, parser: Parser) -> None:
        """Blocks beside ``trainer``, ``model`` and ``data``."""
        parser.add_argument("--runs_dir", type=str, default="runs", help="where run folders are made")
        parser.add_argument(
            "--keep_checkpoints",
            type=PositiveInt | Literal["all"],
            default="all",
            help="how many epochs' checkpoints stay besides the last and the best: all, or a number",
        )
        parser.add_argument(
            "--checkpoint_every_n_epochs", type=PositiveInt, default=1, help="epochs from one checkpoint to the next"
        )
        parser.add_argument("--monitor", type=str, default="val_accuracy", help="metric that decides the best epoch")
        parser.add_argument(
            "--monitor_mode", type=Literal["max", "min"], default="max", help="whether larger or smaller is better"
        )
        parser.add_argument(
            "--diagnostics",
            type=Literal["inline", "background", "offline", "off"] | None,
            default=None,
            help="mode of all diagnostics at once, or off; left out, each block's own",
        )
        parser.add_argument("--out", type=str, default=None, help="predict: file to write, .csv or .npz")
        parser.add_argument(
            "--time_budget",
            type=OpenUnitInterval | None,
            default=None,
            help="share of the time that diagnostics may take inline; when it is exceeded, epochs are left out",
        )
        parser.add_argument(
            "--spread_diagnostics",
            type=bool,
            default=True,
            help="whether several processes share the diagnostics that look inline; all that see the run folder do",
        )
        parser.add_class_arguments(SampleSettings, "sample")
        parser.add_class_arguments(BackgroundSettings, "background")
        parser.add_lightning_class_args(Runtime, "runtime")
        parser.add_lightning_class_args(EarlyStopping, "early_stopping")
        parser.add_lightning_class_args(Baseline, "baseline")
        parser.add_lightning_class_args(VideoCallback, "video")
        parser.set_defaults({"video.enabled": False})
        parser.add_lightning_class_args(LoggedFiguresCallback, "logged_figures")
        for kind, callback in callback_classes().items():
            parser.add_lightning_class_args(callback, kind)
            # Who writes `ProbeCallback()` in a script wants it; a block that nobody speaks of is another thing.
            parser.set_defaults({f"{kind}.enabled": callback.diagnostic_class.on_by_default})

    def parse_arguments(self, parser: Parser, args: Any) -> None:
        """Parse; what is no mapping where a block is expected raises inside jsonargparse and is the user's to mend."""
        with as_user_error():
            super().parse_arguments(parser, args)
        self._check_shapes(self.config[self.config["subcommand"]])

    def _check_shapes(self, config: Namespace) -> None:
        """What jsonargparse lets pass and others stumble over without naming it."""
        for block in sorted({"trainer", "model", "data", *self._parser(self.config["subcommand"]).blocks()}):
            found = config.get(block)
            if not isinstance(found, Namespace | None):
                raise UserError(f"{block} is {found!r}; it is a block of settings, as in {block}: {{NAME: VALUE}}")
        seed = config.get("seed_everything")
        if not isinstance(seed, bool | None) and not 0 <= seed < 2**32:
            raise UserError(f"seed_everything is {seed}; it must be from 0 to {2**32 - 1}")
        checkpoint = config.get("ckpt_path")
        if checkpoint is not None and Path(checkpoint).is_file():
            with checkpoint_at(
                Path(checkpoint), tensors=False
            ) as state:  # Lightning takes settings from it without a look
                dict(state["state_dict"]), dict(state["hyper_parameters"])

    def _parse_ckpt_path(self) -> None:
        """Take settings from the checkpoint; what is wrong with them is said once, and that they are the checkpoint's.

        Lightning's own adds a line to the parser's, and neither names the file.
        """
        said = io.StringIO()
        try:
            with redirect_stderr(said):
                super()._parse_ckpt_path()
        except SystemExit as error:
            reason = said.getvalue().splitlines()[0].removeprefix("error: ")
            checkpoint = self.config[self.config["subcommand"]]["ckpt_path"]
            raise UserError(f"the model's settings in {checkpoint} cannot be used: {reason}") from error
        sys.stderr.write(said.getvalue())

    def instantiate_classes(self) -> None:
        """Make model, data and trainer; what their constructors refuse is the user's to mend."""
        with as_user_error():
            super().instantiate_classes()
        if self.subcommand != "fit" and self._get(self.config, "model.fusion") == "none":
            self.datamodule.use_tabular = False  # what the network ignores need not be there

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer with the callbacks of enabled blocks; nothing is recorded unless training."""
        parser = self._parser(self.subcommand)
        callbacks = [self._get(self.config_init, key) for key in parser.callback_keys]
        if self.subcommand == "fit":
            callbacks = [callback for callback in callbacks if self._wanted(callback)]
            callbacks += [RandomState(), self._recorder()]
        else:
            callbacks = [callback for callback in callbacks if isinstance(callback, Runtime)]
        if self.subcommand == "predict":
            callbacks.append(PredictionWriter(self._get(self.config_init, "out") or "predictions.csv"))
        settings = {**self._get(self.config_init, "trainer", default={}), **kwargs}
        if settings["enable_progress_bar"] is None:
            settings["enable_progress_bar"] = sys.stdout.isatty()
        settings["accelerator"] = in_double_precision(settings["accelerator"])
        settings["profiler"] = settings["profiler"] or NoProfiler()
        with with_the_block_named(settings):
            trainer = self._instantiate_trainer(settings, callbacks)
        if self.subcommand != "fit" and type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = DurableCheckpointIO()  # Lightning's own heeds torch's variable of trust
        return trainer

    def _wanted(self, callback: Callback) -> bool:
        """Whether the callback's block is on, after the switch for all diagnostics has set its mode."""
        if isinstance(callback, LoggedFiguresCallback) and self._get(self.config_init, "trainer.logger") is False:
            return False  # Lightning asks each callback a dozen times in every step
        switch = self._get(self.config_init, "diagnostics")
        if isinstance(callback, DiagnosticCallback) and switch is not None:
            if switch != "off" and not isinstance(callback.diagnostic, Activations):
                callback.mode = switch
            return callback.enabled and switch != "off"
        return getattr(callback, "enabled", True)

    def before_fit(self) -> None:
        """Say a wrong path or metric before anything is made."""
        self._check_checkpoint()
        data = self._get(self.config, "data.path")
        if not data or not Path(data).expanduser().exists():
            raise UserError(f"data.path: there is no file or folder {data!r} (seen from {Path.cwd()})")
        if self.trainer.max_epochs == 0:
            raise UserError("trainer.max_epochs is 0: nothing would be trained; 1 or more, or -1 for no end")
        if self.trainer.limit_val_batches == 0 and self._get(self.config, "early_stopping.enabled"):
            raise UserError(
                "trainer.limit_val_batches is 0, so early stopping has nothing to go by; set "
                "--early-stopping.enabled=false as well"
            )
        for setting in ("monitor", "early_stopping.monitor"):
            found = self._get(self.config, setting)
            if found not in COLUMNS:
                near = difflib.get_close_matches(found, COLUMNS, n=1)
                hint = f". Did you mean {near[0]!r}?" if near else f"; there are {', '.join(COLUMNS)}"
                raise UserError(f"{setting}: no metric is called {found!r}{hint}")

    def before_validate(self) -> None:
        """A trained model is needed."""
        self._check_checkpoint(needed=True)
        # Lightning's table has a column per loader and repeats every value in each.
        self.config_init[self.subcommand]["verbose"] = False

    before_test = before_validate

    def before_predict(self) -> None:
        """A trained model is needed."""
        self._check_checkpoint(needed=True)

    def after_validate(self) -> None:
        """Print what was measured."""
        if self.trainer.is_global_zero:
            for name, value in sorted(self.trainer.callback_metrics.items()):
                sys.stdout.write(f"{name:<20}{float(value):.4f}\n")

    after_test = after_validate

    def _check_checkpoint(self, *, needed: bool = False) -> None:
        path = self._get(self.config, "ckpt_path")
        if (path is None and needed) or (path is not None and not Path(path).is_file()):
            raise no_checkpoint(self.subcommand, path)

    def _recorder(self) -> RunRecorder:
        def setting(name: str) -> Any:
            return self._get(self.config_init, name)

        return RunRecorder(
            runs_dir=setting("runs_dir"),
            sample=setting("sample"),
            keep_checkpoints=setting("keep_checkpoints"),
            checkpoint_every_n_epochs=setting("checkpoint_every_n_epochs"),
            monitor=setting("monitor"),
            mode=setting("monitor_mode"),
            background=setting("background"),
            time_budget=setting("time_budget"),
            config_text=self._resolved_config(),
            spread_diagnostics=setting("spread_diagnostics"),
        )

    def _resolved_config(self) -> str:
        """The configuration that repeats this run from anywhere: paths absolute, not bound to a checkpoint."""
        config: Namespace = self.config[self.subcommand].clone()
        config["ckpt_path"] = None
        config["config"] = None
        config["data.path"] = str(Path(config["data.path"]).expanduser().absolute())
        return self._parser(self.subcommand).dump(config, skip_unset=False)


def run(argv: list[str]) -> None:
    """Run a trainer command; ``argv`` is the command and its options, in underscores.

    Raises:
        UserError: data, settings or folders are not as they must be.
    """
    quieten()
    refuse_data_for_settings(argv)
    refuse_no_checkpoint(argv)
    args = with_settings_of_checkpoint(argv)
    usage = f"repviz {argv[0]} [--config FILE]... [--SETTING VALUE]..."
    try:
        RepvizCLI(
            argv[0],
            EmbeddingClassifier,
            EmbeddingDataModule,
            save_config_callback=None,
            trainer_defaults=_TRAINER_DEFAULTS,
            seed_everything_default=0,
            parser_class=Parser,
            parser_kwargs={"version": __version__, argv[0]: {"usage": usage}},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=args,
        )
    except MisconfigurationException as error:
        raise UserError(str(error)) from error
    except UnpicklingError as error:
        raise UserError(
            "the checkpoint is damaged, or holds more than tensors and plain values; repviz writes no such files "
            "and does not read them"
        ) from error
