"""Frozen weights as torch draws them are told from those that were trained."""

import pytest
import torch
from torch import nn

from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.parameters.layer_parameter import LayerParameter
from layerscope.record.parameters.untrained import (
    blank_rows,
    drawn_norms,
    drawn_recurrences,
    is_fresh_head,
    untrained,
)


def entries(*layers):
    return [
        LayerParameter(layer.weight, name, Channel(Quantity.WEIGHT, name))
        for name, layer in zip("abc", layers, strict=False)
    ]


def frozen(layer, init=None):
    torch.manual_seed(0)
    layer.reset_parameters()
    if init is not None:
        init(layer.weight)
    return layer.requires_grad_(False)


def trained(layer):
    """The same after some steps toward anything at all."""
    optimizer = torch.optim.Adam([layer.weight.requires_grad_()], lr=3e-3)
    aim = torch.randn_like(layer.weight)
    for _ in range(30):
        optimizer.zero_grad()
        (layer.weight - 0.2 * aim).square().sum().backward()
        optimizer.step()
    return layer.requires_grad_(False)


EVEN = {
    "linear": lambda: frozen(nn.Linear(48, 40)),
    "convolution": lambda: frozen(nn.Conv2d(8, 24, 3)),
    "groups": lambda: frozen(nn.Conv2d(16, 64, 3, groups=4)),
    "xavier": lambda: frozen(nn.Linear(48, 40), nn.init.xavier_uniform_),
    "xavier's convolution": lambda: frozen(nn.Conv2d(8, 24, 3), nn.init.xavier_uniform_),
}
NORMAL = {
    "embedding": lambda: frozen(nn.Embedding(300, 20)),
    "kaiming": lambda: frozen(nn.Conv2d(16, 64, 3), nn.init.kaiming_normal_),
    "gpt": lambda: frozen(nn.Linear(80, 80), lambda w: nn.init.normal_(w, std=0.02)),
}


@pytest.mark.parametrize("name", EVEN)
def test_what_is_as_it_was_drawn_is_told_and_what_was_trained_is_not(name):
    assert untrained(entries(EVEN[name]())) == ["a"]
    assert untrained(entries(trained(EVEN[name]()))) == []


@pytest.mark.parametrize("name", NORMAL)
def test_a_usual_variance_tells_where_three_weights_have_one(name):
    assert untrained(entries(NORMAL[name](), NORMAL[name](), NORMAL[name]())) == ["a", "b", "c"]
    assert untrained(entries(NORMAL[name](), NORMAL[name]())) == []
    assert untrained(entries(*(trained(NORMAL[name]()) for _ in range(3)))) == []


def test_which_axis_is_fan_in_is_told_where_it_is_known():
    turned = [frozen(nn.Linear(80, 120), lambda w: nn.init.normal_(w, std=120**-0.5))] * 3
    assert untrained(entries(*turned), widths=dict.fromkeys("abc", (120, 80))) == ["a", "b", "c"]
    assert untrained(entries(*turned), widths=dict.fromkeys("abc", (80, 120))) == []


def test_a_class_token_speaks_neither_for_a_draw_nor_against():
    token = nn.Parameter(0.02 * torch.randn(1, 1, 768), requires_grad=False)
    of_token = LayerParameter(token, "token", Channel(Quantity.WEIGHT, "token"))
    assert untrained([of_token, *entries(*(NORMAL["gpt"]() for _ in range(3)))]) == ["a", "b", "c"]
    assert untrained([of_token, *entries(*(NORMAL["gpt"]() for _ in range(2)))]) == []


def test_one_layer_that_was_trained_speaks_for_all():
    first, second = EVEN["linear"](), trained(EVEN["convolution"]())
    assert untrained(entries(first, second)) == []


def test_a_layer_like_one_that_is_trained_may_be_its_copy():
    assert untrained(entries(EVEN["linear"](), nn.Linear(48, 40))) == []
    assert untrained(entries(EVEN["linear"](), nn.Linear(40, 48))) == ["a"]


def body(bias=0.0, weight=1.0):
    layers = frozen(nn.Linear(20, 24), nn.init.orthogonal_), nn.LayerNorm(24).requires_grad_(False)
    with torch.no_grad():
        layers[0].bias.fill_(0)
        layers[1].bias[3], layers[1].weight[3] = bias, weight
    return layers, [each for layer in layers for each in layer.parameters()]


def test_biases_of_zero_and_norms_of_one_tell_of_weights_that_are_drawn_in_any_way():
    layers, vectors = body()
    assert untrained(entries(*layers), vectors) == ["a"]
    assert untrained(entries(*layers)) == []
    for moved in ({"bias": 1e-6}, {"weight": 1 + 1e-6}):
        layers, vectors = body(**moved)
        assert untrained(entries(*layers), vectors) == []
    layers, vectors = body()
    assert untrained(entries(*layers), vectors[:2]) == []  # a linear layer's zeros alone


@pytest.mark.parametrize(("size", "names"), [(1.0, ["a", "b"]), (1.3, [])])
def test_a_small_embedding_as_drawn_speaks_neither_for_a_draw_nor_against(size, names):
    small = frozen(nn.Embedding(20, 24), lambda weight: nn.init.normal_(weight, std=size))
    assert untrained(entries(small, EVEN["linear"]())) == names
    assert untrained(entries(small)) == []


def test_a_last_layer_over_words_is_no_copy_of_their_embedding():
    words, head = frozen(nn.Embedding(20, 24)), nn.Linear(24, 20)
    assert words.weight.shape == head.weight.shape
    assert untrained(entries(words, EVEN["linear"](), head)) == ["a", "b"]
    copy, its_own = frozen(nn.Linear(24, 30)), nn.Linear(24, 30)
    assert untrained([*entries(words, copy), *entries(head, its_own)]) == []


def test_few_elements_tell_nothing():
    assert untrained(entries(frozen(nn.Linear(8, 8)))) == []


def head(bias=0.0, weight=None, frozen=True):
    layer = nn.Linear(20, 3)
    nn.init.constant_(layer.bias, bias)
    if weight is not None:
        nn.init.constant_(layer.weight, weight)
    return layer.requires_grad_(not frozen)


@pytest.mark.parametrize(
    ("layer", "is_told"),
    [
        (head(), True),
        (head(bias=0.1), False),
        (head(weight=0.0), False),
        (head(frozen=False), False),
        (nn.Linear(20, 3, bias=False).requires_grad_(False), False),
        (nn.Linear(20, 1).requires_grad_(False), False),
    ],
)
def test_a_frozen_head_is_new_if_its_biases_are_all_zero(layer, is_told):
    assert is_fresh_head(layer.named_parameters(), entries(nn.Linear(16, 20))) == is_told
    assert not is_fresh_head(layer.named_parameters(), entries(nn.Linear(20, 3)))  # of a copy


def test_a_frozen_head_is_new_if_it_is_drawn_as_torch_does_it_behind_a_frozen_body_that_is_not():
    new, loaded = EVEN["linear"](), frozen(nn.Conv2d(8, 24, 3), lambda w: w.data.pow_(3))

    def is_told(head, *others):
        return is_fresh_head(head.named_parameters(), entries(head, *others))

    assert is_told(new, loaded)
    assert not is_told(new)
    assert not is_told(new, EVEN["convolution"]())  # a random network: frozen on purpose, perhaps
    assert not is_told(new, loaded.requires_grad_(True))
    assert not is_told(trained(EVEN["linear"]()), loaded.requires_grad_(False))
    assert not is_told(frozen(nn.Linear(48, 4)), loaded)  # few elements


def test_vectors_that_are_0_throughout_are_counted_in_a_frozen_embedding():
    vectors = torch.randn(6000, 16)
    vectors[::3] = 0
    vectors[:, 0] = 0
    assert abs(blank_rows(nn.Embedding.from_pretrained(vectors).weight) - 1 / 3) < 0.01
    assert blank_rows(nn.Embedding.from_pretrained(vectors, freeze=False).weight) == 0


def of_states(weight, name="rnn.weight_hh_l0", needs_gradient=True):
    parameter = nn.Parameter(weight, requires_grad=needs_gradient)
    return [LayerParameter(parameter, "rnn", Channel(Quantity.WEIGHT, name))]


def long_tailed():
    torch.manual_seed(0)
    return torch.randn(48, 48) * torch.tensor([0.5, 2.0]).repeat(24)[:, None]


@pytest.mark.parametrize(
    "weight",
    [
        nn.init.normal_(torch.empty(48, 48), std=9),
        nn.init.uniform_(torch.empty(48, 48), -3, 3),
        nn.init.orthogonal_(torch.empty(48, 48), gain=7),
    ],
)
def test_a_recurrence_as_it_was_drawn_is_told_whatever_its_size(weight):
    assert drawn_recurrences(of_states(weight)) == ["rnn.weight_hh_l0"]
    assert drawn_recurrences(of_states(weight, needs_gradient=False)) == []
    assert drawn_recurrences(of_states(weight, name="rnn.weight_ih_l0")) == []


@pytest.mark.parametrize(
    "weight", [long_tailed(), torch.zeros(48, 48), torch.full((48, 48), torch.nan), torch.eye(48)]
)
def test_a_recurrence_that_was_trained_or_set_is_none_that_was_drawn(weight):
    assert drawn_recurrences(of_states(weight)) == []


def scales(*, about, spread, features=32):
    torch.manual_seed(0)
    return about + spread * torch.randn(features)


@pytest.mark.parametrize(
    ("about", "spread", "features", "told"),
    [
        (0.0, 0.02, 32, True),
        (0.0, 0.02, 12, False),  # too few to tell
        (1.0, 0.02, 32, False),
        (0.3, 0.5, 32, False),  # trained for long, some below 0
        (0.0, 0.0, 32, False),  # of a branch that is to begin at nothing
    ],
)
def test_weights_of_normalisations_about_0_were_drawn(about, spread, features, told):
    one = scales(about=about, spread=spread, features=features)
    assert drawn_norms({"a": one, "b": -one}) == (["a", "b"] if told else [])


def test_some_normalisations_about_0_among_more_that_are_not_are_meant():
    one, other = scales(about=0.0, spread=0.1), scales(about=1.0, spread=0.1)
    assert drawn_norms({"a": one, "b": other}) == []
    assert drawn_norms({"a": one, "b": other, "c": one}) == ["a", "c"]
