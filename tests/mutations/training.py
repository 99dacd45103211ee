"""Training is the same with and without someone looking, of one process or several, stopped or not."""

from tests.mutations.mutation import Mutation

_SNAPSHOT = "src/repviz/snapshot.py"
_BACKGROUND = "src/repviz/background/background.py"
_MODES = "tests/test_snapshot.py::test_modes_weights_and_random_state_are_as_before"

MUTATIONS = (
    Mutation(
        "rng_isolation",
        _SNAPSHOT,
        "with isolated_random_state(), full_single_precision(), torch.no_grad():",
        "with full_single_precision(), torch.no_grad():",
        _MODES,
    ),
    Mutation(
        "rng_restored",
        _SNAPSHOT,
        "        torch.set_rng_state(cpu)\n",
        "",
        "tests/test_snapshot.py::test_random_state_is_private_while_isolated",
    ),
    Mutation("eval_mode", _SNAPSHOT, "        model.eval()\n", "", _MODES),
    Mutation("train_mode_restored", _SNAPSHOT, "module.training = mode", "pass", _MODES),
    Mutation(
        "threads_restored", _SNAPSHOT, "            torch.set_num_threads(threads)\n", "            pass\n", _MODES
    ),
    Mutation(
        "rng_on_resume",
        "src/repviz/training/random_state.py",
        "            _restore(self._pending)\n",
        "",
        "tests/training/test_fit.py::test_a_killed_run_goes_on_as_if_it_had_not_stopped",
    ),
    Mutation(
        "shuffle_by_epoch",
        "src/repviz/data/batches.py",
        "mixed_seed(self.seed, self.epoch)",
        "self.seed",
        "tests/data/test_batches.py::test_one_rank_sees_every_row_once_in_another_order_each_epoch",
    ),
    Mutation(
        "failures_of_diagnostics",
        "src/repviz/callbacks/looking.py",
        "FAILURES = (Exception, SystemExit)",
        "FAILURES = (OSError,)",
        "tests/training/test_observed.py::test_a_diagnostic_that_fails_is_recorded_and_training_goes_on",
    ),
    Mutation(
        "exits_of_diagnostics",
        "src/repviz/callbacks/looking.py",
        "FAILURES = (Exception, SystemExit)",
        "FAILURES = (Exception,)",
        "tests/reliability/test_never_the_victim.py::test_all_fail_in_training_s_own_process",
    ),
    Mutation(
        "full_disk",
        "src/repviz/callbacks/persistence.py",
        "            self.failed(error)\n",
        "            raise error\n",
        "tests/reliability/test_faults.py::test_a_full_disk_ends_no_training_and_with_room_it_is_written_again",
    ),
    Mutation(
        "rank_check",
        "src/repviz/callbacks/checkpoints.py",
        "if not trainer.is_global_zero or disk.problem is not None:",
        "if disk.problem is not None:",
        "tests/reliability/test_ranks.py::test_a_look_longer_than_the_group_s_timeout_and_one_that_raises_elsewhere",
    ),
    Mutation(
        "one_writer_of_an_artifact",
        "src/repviz/callbacks/sharing.py",
        "self._looker.look(shares.get(self._meeting.rank, ()), epoch, step, looked)",
        "self._looker.look(kinds, epoch, step, looked)",
        "tests/reliability/test_ranks.py::test_a_look_longer_than_the_group_s_timeout_and_one_that_raises_elsewhere",
    ),
    Mutation(
        "early_stopping_monitor",
        "src/repviz/callbacks/early_stopping.py",
        "monitor=monitor, mode=mode,",
        'monitor="val_accuracy", mode=mode,',
        "tests/training/test_fit.py::test_early_stopping_follows_its_own_metric_in_its_own_direction",
    ),
    Mutation(
        "early_stopping_mode",
        "src/repviz/callbacks/early_stopping.py",
        "monitor=monitor, mode=mode,",
        'monitor=monitor, mode="max",',
        "tests/training/test_fit.py::test_early_stopping_follows_its_own_metric_in_its_own_direction",
    ),
    Mutation(
        "patience_on_resume",
        "src/repviz/callbacks/early_stopping.py",
        '{**state_dict, "patience": self.patience}',
        "state_dict",
        "tests/training/test_resume.py::test_more_patience_goes_on_with_a_run_that_had_ended_early",
    ),
    Mutation(
        "best_checkpoint",
        "src/repviz/callbacks/checkpoints.py",
        'if self.best and sign * value <= sign * self.best["value"]:',
        "if False:",
        "tests/training/test_fit.py::test_best_is_the_epoch_with_the_best_metric",
    ),
    Mutation(
        "own_data_on_resume",
        "src/repviz/data/datamodule.py",
        'if resuming and source.fingerprint != state_dict["fingerprint"]:',
        "if False:",
        "tests/training/test_fit.py::test_a_run_goes_on_with_its_own_data_only",
    ),
    Mutation(
        "queue_bound_skip",
        _BACKGROUND,
        'if self._settings.when_full == "skip" and self.waiting >= self._settings.queue_size:',
        "if False:",
        "tests/background/test_in_a_run.py::test_a_skipped_epoch_is_recorded",
    ),
    Mutation(
        "queue_bound_wait",
        _BACKGROUND,
        'while self._settings.when_full == "wait" and self.waiting >= self._settings.queue_size:',
        "while False:",
        "tests/background/test_background.py::test_training_waits_where_the_queue_is_full",
    ),
    Mutation(
        "handed_over_twice",
        _BACKGROUND,
        "kinds = [kind for kind in kinds if kind not in self._left.get(epoch, ())]",
        "kinds = list(kinds)",
        "tests/background/test_background.py::test_an_epoch_that_is_handed_over_twice_is_computed_once",
    ),
    Mutation(
        "orphans",
        "src/repviz/background/worker.py",
        "    os._exit(1)\n",
        "    pass\n",
        "tests/background/test_background.py::test_a_worker_with_nothing_to_do_ends_when_training_is_gone",
    ),
    Mutation(
        "interrupt_not_lost",
        "src/repviz/callbacks/interruption.py",
        "    if told:\n",
        "    if False:\n",
        "tests/callbacks/test_termination.py::test_an_interrupt_that_was_lost_comes_at_the_end",
    ),
    Mutation(
        "handed_over_is_counted_first",
        _BACKGROUND,
        "            self._left.setdefault(epoch, set()).update(kinds)  #",
        "            #",
        "tests/background/test_background.py"
        "::test_an_epoch_that_is_being_laid_beside_the_others_when_training_is_told_to_end_is_counted",
    ),
)
