from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from repviz.errors import UserError
from repviz.model.mlp import MLP
from repviz.snapshot import capture, observing

N, N_FEATURES, N_TABULAR, N_CLASSES = 13, 6, 4, 3
DATA = torch.Generator().manual_seed(0)
EMBEDDINGS = torch.randn(N, N_FEATURES, generator=DATA)
TABULAR = torch.randn(N, N_TABULAR, generator=DATA)


def build(seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"hidden_dims": (8, 5), "n_tabular": N_TABULAR} | settings
    return MLP(N_FEATURES, N_CLASSES, **settings).eval()


def awaken(model, seed=1):
    """Leave the initial point, where FiLM does nothing and LayerNorm is plain."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def test_film_starts_as_the_unfused_network_of_the_same_seed():
    film, unfused = build(fusion="film"), build(fusion="none")
    own = film.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in unfused.state_dict().items())
    torch.testing.assert_close(film(EMBEDDINGS, TABULAR), unfused(EMBEDDINGS), rtol=0, atol=0)
    assert all((gamma == 0).all() and (beta == 0).all() for gamma, beta in film.film_parameters(TABULAR))


def test_film_learns_to_use_the_tabular_columns():
    film = build(fusion="film").train()
    optimizer = torch.optim.SGD(film.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        nn.functional.cross_entropy(film(EMBEDDINGS, TABULAR), torch.arange(N) % N_CLASSES).backward()
        optimizer.step()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in film.films.parameters())
    film.eval()
    assert not torch.allclose(film(EMBEDDINGS, TABULAR), film(EMBEDDINGS, TABULAR.flip(0)))


def test_film_scales_and_shifts_the_normed_units_before_the_activation():
    film = awaken(build(fusion="film", dropout=0.5))
    sites, modulations = film.sites(), film.film_parameters(TABULAR)
    assert [tuple(gamma.shape) for gamma, _ in modulations] == [(N, 8), (N, 5)]
    with torch.no_grad():
        normed = film.blocks[0].norm(film.blocks[0].linear(EMBEDDINGS))
        gamma, beta = modulations[0]
        expected = torch.relu(normed + normed * gamma + beta)
    with observing(film):
        activations, _ = capture(film, sites, (EMBEDDINGS, TABULAR))
    torch.testing.assert_close(activations["block1"], expected)


def test_tabular_columns_are_ignored_without_fusion():
    model = awaken(build(fusion="none"))
    torch.testing.assert_close(model(EMBEDDINGS, TABULAR), model(EMBEDDINGS), rtol=0, atol=0)


def test_permuted_tabular_columns_matter_unless_the_weights_are_permuted_too():
    order = torch.tensor([2, 0, 3, 1])
    model = awaken(build(fusion="concat"))
    logits = model(EMBEDDINGS, TABULAR)
    assert not torch.allclose(model(EMBEDDINGS, TABULAR[:, order]), logits, atol=1e-3)
    with torch.no_grad():
        weight = model.blocks[0].linear.weight
        weight[:, N_FEATURES:] = weight[:, N_FEATURES:][:, order].clone()
    torch.testing.assert_close(model(EMBEDDINGS, TABULAR[:, order]), logits)


@pytest.mark.parametrize("fusion", ["concat", "film", "none"])
@pytest.mark.parametrize("residual", [False, True])
def test_activations_at_the_sites_chain_to_the_logits(fusion, residual):
    model = awaken(build(fusion=fusion, residual=residual, dropout=0.5, hidden_dims=(8, 8, 5)))
    sites = model.sites()
    assert list(sites) == ["input", "block1", "block2", "block3", "penultimate", "logits"]
    assert sites["penultimate"] is sites["block3"]
    with observing(model):
        activations, logits = capture(model, sites, (EMBEDDINGS, TABULAR), batch_size=5)
        modulations = model.film_parameters(TABULAR) or [None] * 3
        for k, (before, after) in enumerate(pairwise(("block1", "block2", "block3")), start=1):
            torch.testing.assert_close(sites[after](activations[before], modulations[k]), activations[after])
        torch.testing.assert_close(sites["logits"](activations["penultimate"]), logits)
    assert torch.equal(activations["input"], EMBEDDINGS)
    assert activations["penultimate"] is activations["block3"]
    torch.testing.assert_close(activations["logits"], model(EMBEDDINGS, TABULAR))


def test_without_blocks_it_is_a_logistic_regression():
    model = build(hidden_dims=(), fusion="concat")
    both = torch.cat((EMBEDDINGS, TABULAR), 1)
    torch.testing.assert_close(model(EMBEDDINGS, TABULAR), both @ model.head.weight.T + model.head.bias)
    sites = model.sites()
    assert list(sites) == ["input", "penultimate", "logits"]
    with observing(model):
        activations, _ = capture(model, sites, (EMBEDDINGS, TABULAR))
    assert torch.equal(activations["penultimate"], EMBEDDINGS)


def test_residual_blocks_pass_their_input_on():
    model = build(fusion="none", residual=True, hidden_dims=(8, 8))
    with torch.no_grad():
        for block in model.blocks:
            block.linear.weight.zero_()
            block.linear.bias.zero_()
    projected = EMBEDDINGS @ model.blocks[0].shortcut.weight.T
    torch.testing.assert_close(model.blocks[0](EMBEDDINGS), projected)
    torch.testing.assert_close(model(EMBEDDINGS), projected @ model.head.weight.T + model.head.bias)


@pytest.mark.parametrize("layer_norm", [True, False])
def test_layer_norm_makes_a_block_blind_to_the_scale_of_its_linear_layer(layer_norm):
    model = build(fusion="none", layer_norm=layer_norm)
    before = model(EMBEDDINGS)
    with torch.no_grad():
        model.blocks[0].linear.weight.mul_(3)
        model.blocks[0].linear.bias.mul_(3)
    assert torch.allclose(model(EMBEDDINGS), before, atol=1e-3) == layer_norm


def test_the_activation_is_the_one_asked_for():
    relu, gelu = build(activation="relu", fusion="none"), build(activation="gelu", fusion="none")
    assert relu.blocks[0](EMBEDDINGS).min() == 0
    assert -0.2 < gelu.blocks[0](EMBEDDINGS).min() < 0


def test_dropout_acts_in_training_only():
    model = build(fusion="none", dropout=0.5, hidden_dims=(1000,))
    assert torch.equal(model(EMBEDDINGS), model(EMBEDDINGS))
    model.train()
    dropped = (model.blocks[0](EMBEDDINGS) == 0).float().mean()
    kept = (model.eval().blocks[0](EMBEDDINGS) > 0).float().mean()
    assert abs(1 - dropped - 0.5 * kept) < 0.03


@pytest.mark.parametrize("fusion", ["concat", "film", "none"])
def test_weights_can_be_swapped_and_batched_without_touching_the_module(fusion):
    models = [awaken(build(fusion=fusion), seed) for seed in (1, 2)]
    expected = torch.stack([model(EMBEDDINGS, TABULAR) for model in models])
    host = build(fusion=fusion)
    before = host(EMBEDDINGS, TABULAR)
    parameters, buffers = stack_module_state(models)
    got = vmap(lambda p, b: functional_call(host, (p, b), (EMBEDDINGS, TABULAR)))(parameters, buffers)
    torch.testing.assert_close(got, expected)
    assert torch.equal(host(EMBEDDINGS, TABULAR), before)


@pytest.mark.parametrize("fusion", ["concat", "film", "none"])
def test_the_state_goes_to_another_network_and_back(fusion):
    model, other = awaken(build(fusion=fusion)), build(seed=5, fusion=fusion)
    assert not torch.allclose(other(EMBEDDINGS, TABULAR), model(EMBEDDINGS, TABULAR))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(EMBEDDINGS, TABULAR), model(EMBEDDINGS, TABULAR))


@pytest.mark.parametrize("fusion", ["concat", "film"])
def test_fusion_runs_in_mixed_precision(fusion):
    model = awaken(build(fusion=fusion))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(EMBEDDINGS, TABULAR)
    torch.testing.assert_close(logits.float(), model(EMBEDDINGS, TABULAR), atol=0.1, rtol=0.1)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"hidden_dims": (8, 0)}, r"model\.hidden_dims is \[8, 0\]"),
        ({"dropout": 1.0}, r"model\.dropout is 1\.0"),
        ({"dropout": -0.1}, r"model\.dropout is -0\.1"),
        ({"activation": "tanh"}, r"model\.activation is 'tanh': choose one of relu, gelu"),
        ({"fusion": "sum"}, r"model\.fusion is 'sum': choose one of concat, film, none"),
        ({"fusion": "film", "hidden_dims": ()}, r"model\.hidden_dims is empty"),
        ({"n_tabular": -1}, "n_tabular is -1"),
    ],
)
def test_settings_out_of_range_are_named(settings, named):
    with pytest.raises(UserError, match=named):
        build(**settings)


@pytest.mark.parametrize("fusion", ["concat", "film"])
def test_fusion_without_tabular_columns_names_both_settings_and_the_way_out(fusion):
    with pytest.raises(UserError, match=f"model.fusion is '{fusion}'.*data.use_tabular.*embeddings.yaml"):
        build(fusion=fusion, n_tabular=0)


@pytest.mark.parametrize(("n_features", "n_classes"), [(0, 3), (6, 1)])
def test_data_that_no_classifier_can_take_is_refused(n_features, n_classes):
    with pytest.raises(UserError, match=r"n_features is 0|n_classes is 1"):
        MLP(n_features, n_classes)
