import re

import pytest
import torch
from torch import nn

from layerscope.lab.init import InitScheme, variance_scaling
from layerscope.lab.language_model import sample
from layerscope.lab.mlp import MLP


class Scripted(nn.Module):
    """Gives the next character with certainty, or the same logits for every context."""

    def __init__(self, after: dict[int, int] | None = None, logits: list[float] | None = None):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.after = after
        self.logits = logits
        self.contexts: list[list[list[int]]] = []

    def forward(self, contexts: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        self.contexts.append(contexts.tolist())
        if self.logits is not None:
            return torch.tensor([self.logits] * len(contexts))
        following = torch.tensor([self.after[context[-1]] for context in contexts.tolist()])
        return torch.full((len(contexts), 4), -1e9).scatter(1, following.unsqueeze(1), 0.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_an_item_grows_until_the_boundary_and_the_context_slides_along():
    network = Scripted(after={0: 2, 2: 3, 3: 1, 1: 0})
    assert sample(network, 2, 4, count=1, generator=seeded(), limit=9)[0].tolist()[:4] == [
        2,
        3,
        1,
        0,
    ]
    assert network.contexts == [[[0, 0]], [[0, 2]], [[2, 3]], [[3, 1]]]


def test_an_item_that_does_not_end_is_cut_at_the_limit():
    network = Scripted(after={0: 2, 2: 2})
    assert sample(network, 1, 4, count=3, generator=seeded(), limit=5).tolist() == [[2] * 5] * 3


def test_characters_come_at_the_networks_probabilities_and_the_first_is_none_of_the_boundary():
    network = Scripted(logits=torch.tensor([0.5, 0.3, 0.2]).log().tolist())
    drawn = sample(network, 1, 3, count=20000, generator=seeded(), limit=2)
    first, second = (drawn[:, position].bincount(minlength=3) / 20000 for position in (0, 1))
    torch.testing.assert_close(first, torch.tensor([0.0, 0.6, 0.4]), atol=0.015, rtol=0)
    torch.testing.assert_close(second, torch.tensor([0.5, 0.3, 0.2]), atol=0.015, rtol=0)


def test_a_network_that_is_certain_of_the_boundary_still_makes_up_a_character():
    network = Scripted(logits=[1e9, 0.0, -1e9])
    assert sample(network, 1, 3, count=1, generator=seeded(), limit=3).tolist() == [[1, 0, 0]]


def test_after_its_end_an_item_is_all_boundary():
    network = Scripted(logits=[0.0, 0.0, 0.0])
    for row in sample(network, 1, 3, count=200, generator=seeded(), limit=12).tolist():
        end = row.index(0) if 0 in row else len(row)
        assert end > 0
        assert set(row[end:]) <= {0}


def test_logits_that_stand_for_no_symbol_are_never_drawn():
    network = Scripted(logits=[0.0, 0.0, 0.0, 9.0])
    drawn = sample(network, 1, 3, count=200, generator=seeded(), limit=3)
    assert set(drawn.flatten().tolist()) == {0, 1, 2}


def test_items_follow_from_the_generator_and_the_global_one_is_untouched():
    model = MLP(embedding_rows=5, context_length=3, classes=5, depth=1, width=8)
    InitScheme(variance_scaling(1.0, "fan_in", "normal"))(model, seeded())
    before = torch.get_rng_state()
    one, same, other = (sample(model, 3, 5, 20, seeded(seed), limit=8) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("count", "limit", "sentence"),
    [(0, 5, "count must be at least 1, got 0"), (5, 0, "limit must be at least 1, got 0")],
)
def test_a_bad_size_is_refused_in_one_sentence(count, limit, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        sample(Scripted(logits=[0.0, 0.0]), 1, 2, count, seeded(), limit)


def test_a_network_that_has_diverged_is_said_to_have():
    sentence = "the network's logits must be finite to sample from, got NaN or inf"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        sample(Scripted(logits=[0.0, float("nan")]), 1, 2, 1, seeded(), 1)
