"""Counts that a network gets, and whose multinomial likelihood its loss is, are no shares."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import layerscope
from tests.usual_step import descend


def shopping(users=300, items=60, bits=True):
    """What users have bought: mostly of one kind of five, and most of all items never."""
    torch.manual_seed(0)
    likes, kinds = torch.randint(5, (users, 1)), torch.randint(5, (1, items))
    bought = torch.poisson(torch.where(likes == kinds, 1.0, 0.05))
    bought[bought.sum(1) == 0, 0] = 1
    return bought.clamp(max=1) if bits else bought


def by_function(logits, asked):
    return functional.cross_entropy(logits, asked)


def by_hand(logits, asked):
    return -(functional.log_softmax(logits, 1) * asked).sum(1).mean()


def rules_of(data, asked, loss, folder):
    network = nn.Sequential(nn.Linear(data.shape[1], 8), nn.Tanh(), nn.Linear(8, asked.shape[1]))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    with layerscope.watch(network, folder, images=False, summary=False) as scope:
        for _ in range(120):
            rows = torch.randint(len(data), (64,))
            descend(scope, optimizer, loss(network(data[rows]), asked[rows]))
    return [each.rule for each in scope.findings if each.severity != "note"]


@pytest.mark.parametrize("loss", [by_function, by_hand])
@pytest.mark.parametrize("bits", [True, False])
@pytest.mark.parametrize("scaled", [True, False])
def test_an_autoencoder_of_counts_is_silent(loss, bits, scaled, tmp_path):
    counts = shopping(bits=bits)
    assert (
        rules_of(functional.normalize(counts) if scaled else counts, counts, loss, tmp_path) == []
    )


@pytest.mark.parametrize("loss", [by_function, by_hand])
def test_several_labels_of_something_else_are_still_told_of(loss, tmp_path):
    labels = shopping()
    data = labels @ torch.randn(60, 20) + 0.1 * torch.randn(300, 20)
    assert "target_out_of_range" in rules_of(data, labels, loss, tmp_path)


def test_pictures_are_no_counts(tmp_path):
    torch.manual_seed(0)
    pictures = torch.sigmoid(torch.randn(300, 5) @ torch.randn(5, 40))
    assert "target_out_of_range" in rules_of(pictures, pictures, by_function, tmp_path)
