"""Nothing that a stranger has made runs, and the dashboard gives what it should to whom it should."""

from tests.mutations.mutation import Mutation

_UNPICKLING = "src/repviz/data/unpickling.py"
_CONFINED = "src/repviz/confined.py"
_HDF5 = "src/repviz/store/hdf5.py"
_GUARD = "dashboards/guard.py"
_LOGIN = "dashboards/login.py"
_CATALOG = "dashboards/catalog.py"

MUTATIONS = (
    Mutation(
        "unpickler_tables",
        _UNPICKLING,
        "raise RefusedPickle(f\"it asks for {quoted(f'{module}.{name}', 100)}, which no table needs\")",
        "return super().find_class(module, name)",
        "tests/data/test_unpickling.py::test_the_name_is_refused_before_it_is_imported",
    ),
    Mutation(
        "unpickler_stand_ins",
        _UNPICKLING,
        "            return stand_in(name)\n",
        "            return super().find_class(module, name)\n",
        "tests/data/test_unpickling.py::test_the_unpickler_itself_never_gives_the_real_thing",
    ),
    Mutation(
        "unpickler_getattr",
        _UNPICKLING,
        'if is_stand_in(owner, "ZoneInfo") and name == "_unpickle":\n        return stand_in("_unpickle")',
        "if isinstance(name, str):\n        return getattr(owner, name)",
        "tests/data/test_unpickling.py::test_names_that_no_table_needs_are_refused_by_name",
    ),
    Mutation(
        "child_limit_of_memory",
        _CONFINED,
        "        (resource.RLIMIT_AS, memory),\n",
        "",
        "tests/store/test_unsealed.py::test_the_memory_of_the_child_is_bounded "
        "tests/data/test_unpickling.py::test_memory_is_bounded",
    ),
    Mutation(
        "child_limit_of_processor",
        _CONFINED,
        "        (resource.RLIMIT_CPU, seconds),\n",
        "",
        "tests/store/test_unsealed.py::test_the_processor_time_of_the_child_is_bounded_and_the_signal_tells_so",
    ),
    Mutation(
        "child_limit_by_the_clock",
        _CONFINED,
        "timeout=seconds,",
        "timeout=None,",
        "tests/store/test_unsealed.py::test_the_time_of_the_child_is_bounded_by_the_clock",
    ),
    Mutation(
        "weights_only_on_resume",
        "src/repviz/training/checkpoint_io.py",
        "weights_only=True, **kwargs",
        "weights_only=weights_only, **kwargs",
        "tests/reliability/test_strangers.py::test_every_reading_of_a_checkpoint_says_how",
    ),
    Mutation(
        "weights_only_in_diagnose",
        "src/repviz/weights.py",
        "weights_only=True, mmap=True",
        "mmap=True",
        "tests/reliability/test_strangers.py::test_every_checkpoint_is_read_as_weights_only_and_it_is_said",
    ),
    Mutation(
        "trust_of_a_stranger",
        "src/repviz/recorded.py",
        ', "trust_pickle": trust_pickle}',
        "}",
        "tests/reliability/test_strangers.py::test_that_a_pickle_is_to_be_trusted_is_for_the_user_to_say",
    ),
    Mutation(
        "numbers_elsewhere",
        _HDF5,
        "if item.external or item.is_virtual:",
        "if False:",
        "tests/reliability/test_served.py::test_hdf5_files_cannot_point_elsewhere",
    ),
    Mutation(
        "links_of_hdf5",
        _HDF5,
        "if not isinstance(file.get(name, getlink=True), h5py.HardLink):",
        "if False:",
        "tests/reliability/test_served.py::test_hdf5_files_cannot_point_elsewhere",
    ),
    Mutation(
        "claims_of_hdf5",
        _HDF5,
        "if item.nbytes > limit and not _is_bare_dimension(item):",
        "if False:",
        "tests/store/test_hdf5.py::test_a_small_file_that_claims_much_is_damage_and_takes_no_memory",
    ),
    Mutation(
        "run_lookup_of_pages",
        _CATALOG,
        "return is_within(self.runs_dir / name / RUN_FILE, self.runs_dir)",
        "return (self.runs_dir / name / RUN_FILE).exists()",
        "tests/dashboards/test_routes.py::test_links_out_of_the_folder_are_not_followed",
    ),
    Mutation(
        "path_confinement",
        _CATALOG,
        "return path.resolve(strict=True).is_relative_to(folder.resolve(strict=True))",
        "return path.exists()",
        "tests/dashboards/test_routes.py::test_linked_files_from_outside_are_not_shown",
    ),
    Mutation(
        "host",
        _GUARD,
        'if not accepted(_host_of(f"//{request.host}")):',
        "if False:",
        "tests/dashboards/test_app.py::test_foreign_hosts_are_refused",
    ),
    Mutation(
        "origin",
        _GUARD,
        "if origin is not None and _site_of(origin) != request.host:",
        "if False:",
        "tests/dashboards/test_app.py::test_another_sites_page_may_not_post",
    ),
    Mutation(
        "size_of_a_body",
        _GUARD,
        "if (request.content_length or 0) > MAX_BODY_BYTES:",
        "if False:",
        "tests/dashboards/test_app.py::test_large_bodies_are_refused",
    ),
    Mutation(
        "password_before_all",
        _LOGIN,
        "        if logged_in():\n",
        "        if True:\n",
        "tests/dashboards/test_login.py::test_nothing_is_given_without_the_password",
    ),
    Mutation(
        "password_in_constant_time",
        _LOGIN,
        "hmac.compare_digest(*(hashlib.sha256(text.encode()).digest() for text in (given, password)))",
        "given == password",
        "tests/dashboards/test_login.py::test_whether_it_is_right_hangs_on_the_comparison_in_constant_time_alone",
    ),
    Mutation(
        "pause_after_wrong_ones",
        _LOGIN,
        "if count >= WRONG_ALLOWED else 0.0",
        "if False else 0.0",
        "tests/dashboards/test_login.py::test_too_many_wrong_ones_pause_even_for_the_right_one",
    ),
    Mutation(
        "astray_and_not_found",
        "dashboards/nowhere.py",
        "    server.register_error_handler(HTTPStatus.NOT_FOUND, lambda _: _answer())\n",
        "",
        "tests/dashboards/test_nowhere.py",
    ),
)
