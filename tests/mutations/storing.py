"""Files that are whole, of one writer, and read as what they are."""

from tests.mutations.mutation import Mutation

_ATOMIC = "src/repviz/atomic.py"
_HDF5 = "src/repviz/store/hdf5.py"
_RUN_FOLDER = "src/repviz/store/run_folder.py"

MUTATIONS = (
    Mutation(
        "atomic_rename",
        _ATOMIC,
        "        os.replace(temporary, target)\n",
        "        target.write_bytes(temporary.read_bytes())\n        temporary.unlink()\n",
        "tests/reliability/test_at_once.py::test_readers_beside_a_writer_see_whole_files_and_do_not_disturb_it",
    ),
    Mutation(
        "flush_of_the_file",
        _ATOMIC,
        "        flush(temporary)\n",
        "",
        "tests/test_atomic.py::test_content_and_folder_are_flushed",
    ),
    Mutation(
        "flush_of_its_folder",
        _ATOMIC,
        "        raise\n    flush(target.parent)\n\n",
        "        raise\n\n",
        "tests/test_atomic.py::test_content_and_folder_are_flushed",
    ),
    Mutation(
        "flush_of_a_new_folder",
        _ATOMIC,
        "    path.mkdir(exist_ok=True)\n    flush(path.parent)\n",
        "    path.mkdir(exist_ok=True)\n",
        "tests/test_atomic_folders.py::test_each_new_folder_is_flushed_into_the_one_above_it",
    ),
    Mutation(
        "leftovers_of_the_living",
        _ATOMIC,
        'host.endswith(f"-{_host()}") and pid.isdigit() and not _lives(int(pid))',
        'host.endswith(f"-{_host()}") and pid.isdigit()',
        "tests/reliability/test_faults.py::test_what_the_dead_left_goes_and_what_the_living_write_stays",
    ),
    Mutation(
        "claim_of_a_run_folder",
        _RUN_FOLDER,
        "folder.mkdir()",
        "folder.mkdir(exist_ok=True)",
        "tests/store/test_run_folder.py::test_starts_in_the_same_second_get_folders_of_their_own",
    ),
    Mutation(
        "start_time_of_a_process",
        _RUN_FOLDER,
        'return started is not None and started == content.get("pid_start")',
        "return started is not None",
        "tests/store/test_run_folder.py::test_another_process_with_the_same_number_does_not_count",
    ),
    Mutation(
        "claim_of_kinds",
        "src/repviz/offline/claiming.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        "tests/offline/test_claiming.py::test_another_is_refused_until_the_first_is_gone_however_it_goes",
    ),
    Mutation(
        "left_to_training",
        "src/repviz/offline/plan.py",
        'if run["state"] != "running":',
        "if True:",
        "tests/offline/test_plan.py::test_what_a_living_training_computes_itself_is_left_to_it",
    ),
    Mutation(
        "order_of_chained_epochs",
        "src/repviz/offline/plan.py",
        "not (self.one_at_a_time and self.under_way)",
        "True",
        "tests/offline/test_plan.py::test_whatever_ends_when_nothing_begins_before_what_it_looks_back_at",
    ),
    Mutation(
        "seal",
        "src/repviz/store/seal.py",
        "if found != _block(file):",
        "if False:",
        "tests/reliability/test_damage.py::test_every_flipped_bit_is_noticed",
    ),
    Mutation(
        "seal_taken_away",
        _HDF5,
        'if int(file.attrs["format_version"]) > _UNSEALED:',
        "if False:",
        "tests/store/test_hdf5.py::test_a_file_whose_seal_was_taken_away_is_damage",
    ),
    Mutation(
        "newer_format",
        _HDF5,
        "if version > FORMAT_VERSION:",
        "if False:",
        "tests/store/test_hdf5.py::test_a_later_format_is_refused_naming_the_version_to_install",
    ),
    Mutation(
        "checksums_of_a_checkpoint",
        "src/repviz/store/checkpoint_file.py",
        "        _compare(path, tensors=tensors)\n",
        "",
        "tests/reliability/test_damage.py::test_no_flipped_bit_of_a_checkpoint_becomes_another_weight",
    ),
    Mutation(
        "checksums_are_written",
        "src/repviz/training/checkpoint_io.py",
        "torch.serialization.set_crc32_options(True)",
        "torch.serialization.set_crc32_options(wanted)",
        "tests/training/test_checkpoint_io.py",
    ),
    Mutation(
        "run_lookup_of_commands",
        "src/repviz/store/listing.py",
        "key=lambda p: p.name, reverse=True)",
        "key=lambda p: p.name)",
        "tests/store/test_listing.py::test_runs_are_listed_newest_first_and_damaged_ones_named",
    ),
    Mutation(
        "later_epochs_on_resume",
        "src/repviz/callbacks/opening.py",
        "    artifacts.remove_after(run_dir, epoch)\n",
        "",
        "tests/training/test_resume.py::test_what_is_there_of_later_epochs_goes_when_the_run_goes_on",
    ),
)
