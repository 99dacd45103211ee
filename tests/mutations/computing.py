"""Numbers are what they are called."""

from tests.mutations.mutation import Mutation

_METRICS = "src/repviz/model/metrics.py"
_FILTERS = "src/repviz/diagnostics/filter_normalization.py"
_PROJECTION = "src/repviz/diagnostics/projection.py"
_DIRECTIONS = (
    "tests/diagnostics/test_landscape.py::test_directions_are_filter_normalised_orthogonal_and_leave_biases_and_norms"
)

MUTATIONS = (
    Mutation(
        "alignment_of_pca",
        _PROJECTION,
        "scores[:, :2] if before is None else scores @ steady_axes(scores, before)",
        "scores[:, :2]",
        "tests/diagnostics/test_projection.py::test_pca_is_steady_among_more_equal_axes_than_it_keeps",
    ),
    Mutation(
        "alignment_of_signs",
        _PROJECTION,
        'scores if previous is None else sign_aligned(scores, previous["scores"].values)',
        "scores",
        "tests/diagnostics/test_projection.py::test_score_signs_follow_the_previous_epoch",
    ),
    Mutation(
        "alignment_of_umap",
        "src/repviz/diagnostics/umap_layout.py",
        "rigidly_aligned(layout, previous)",
        "layout",
        "tests/diagnostics/test_umap_layout.py::test_the_map_comes_back_in_the_frame_of_the_previous_one",
    ),
    Mutation(
        "procrustes",
        "src/repviz/diagnostics/alignment.py",
        "return left @ right",
        "return right.T @ left.T",
        "tests/diagnostics/test_alignment.py::test_procrustes_is_scipys_and_undoes_a_rotation",
    ),
    Mutation(
        "filter_normalisation",
        _FILTERS,
        "random.norm(dim=1).clamp_min",
        "random.norm().clamp_min",
        _DIRECTIONS,
    ),
    Mutation(
        "orthogonal_directions",
        _FILTERS,
        "        two = two - (two * one).sum(1, keepdim=True) / one.square().sum(1, keepdim=True) * one\n",
        "",
        _DIRECTIONS,
    ),
    Mutation(
        "scalers_on_train_only",
        "src/repviz/data/datamodule.py",
        "fit_scaling(train.embeddings, self.standardize)",
        "fit_scaling(np.concatenate([s.embeddings for s in self.arrays.splits.values()]), self.standardize)",
        "tests/data/test_datamodule.py",
    ),
    Mutation(
        "tabular_scaler_on_train_only",
        "src/repviz/data/datamodule.py",
        "fit_scaling(train.tabular, self.standardize)",
        "fit_scaling(np.concatenate([s.tabular for s in self.arrays.splits.values()]), self.standardize)",
        "tests/data/test_datamodule.py",
    ),
    Mutation(
        "probe_on_train_only",
        "src/repviz/diagnostics/probe.py",
        "principal_position(standardized(points[rows], len(train)), len(train))",
        "principal_position(standardized(points[rows], len(rows)), len(rows))",
        "tests/diagnostics/test_probe.py::test_val_points_do_not_reach_the_fit",
    ),
    Mutation(
        "held_out_of_the_probe",
        "src/repviz/diagnostics/probe.py",
        "fitted = fold[:, None] != np.arange(n_folds)",
        "fitted = fold[:, None] >= np.zeros(n_folds)",
        "tests/diagnostics/test_probe.py::test_the_numbers_are_those_of_scikit_learns_fit_of_the_chosen_strength",
    ),
    Mutation(
        "held_out_of_the_baseline",
        "src/repviz/model/baseline.py",
        "(train_inputs[~held_out], train_labels[~held_out])",
        "(train_inputs, train_labels)",
        "tests/model/test_baseline.py::test_it_does_on_the_real_sample_what_a_tuned_regression_does",
    ),
    Mutation(
        "weighting_of_f1",
        _METRICS,
        "confidence[1].scatter_add_(0, predicted, p_predicted * ~hit)",
        "confidence[1].scatter_add_(0, predicted, (~hit).double())",
        "tests/model/test_metrics.py::test_the_confidence_weighted_f1_is_the_one_worked_out_by_hand",
    ),
    Mutation(
        "support_of_f1",
        _METRICS,
        "weighted = (f1 * support).sum() / support.sum()",
        "weighted = macro",
        "tests/model/test_metrics.py::test_the_confidence_weighted_f1_is_the_one_worked_out_by_hand",
    ),
    Mutation(
        "classes_of_macro_f1",
        _METRICS,
        "return (f1 * present).sum() / present.sum()",
        "return f1.mean()",
        "tests/model/test_metrics.py::test_classes_that_occur_nowhere_do_not_count_but_those_only_predicted_do",
    ),
    Mutation(
        "weight_of_a_batch",
        _METRICS,
        "total = loss.detach().double() * weight",
        "total = loss.detach().double()",
        "tests/model/test_metrics.py::test_batches_do_not_matter",
    ),
    Mutation(
        "sums_over_ranks",
        _METRICS,
        "            dist.all_reduce(sums)\n",
        "            pass\n",
        "tests/model/test_metrics.py::test_two_processes_with_unequal_shares_give_the_numbers_of_one",
    ),
    Mutation(
        "sampler_without_padding",
        "src/repviz/data/batches.py",
        "return torch.arange(self.rank, self.n_rows, self.num_replicas)",
        "return torch.arange(self.rank, self.n_rows + self.num_replicas - 1, self.num_replicas) % self.n_rows",
        "tests/data/test_batches.py::test_evaluation_is_sharded_without_padding",
    ),
    Mutation(
        "blocks_without_padding",
        "src/repviz/data/blocks.py",
        "last = first + share + (self.rank < over)",
        "last = first + share + 1",
        "tests/data/test_blocks.py::test_ranks_share_the_rows_as_they_do_in_memory",
    ),
    Mutation(
        "diagonal_of_cka",
        "src/repviz/kernel_alignment.py",
        "value = float(cross - own + total - rows)",
        "value = float(cross + total - rows)",
        "tests/diagnostics/test_similarity.py::test_it_is_the_one_of_whole_gram_matrices",
    ),
)
