"""How often a scheduler has cut the rate for want of something larger."""

import math

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from layerscope.record.parameters.plateau_cuts import PlateauCuts


def seen(values, rate=0.1, **about):
    """What is seen where a scheduler is given these values, one after another."""
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=rate)
    scheduler = ReduceLROnPlateau(optimizer, **{"mode": "max", "patience": 1} | about)
    cuts = PlateauCuts()
    told = [cuts.see([optimizer])]
    for value in values:
        scheduler.step(value)
        told.append(cuts.see([optimizer]))
    return told


FALLING = [3 - 0.1 * n for n in range(9)]


@pytest.mark.parametrize(
    ("values", "about", "told"),
    [
        (FALLING, {}, 4),
        (FALLING[:5], {}, 2),
        (FALLING[:4], {}, 0),  # once
        (FALLING, {"cooldown": 1}, 3),
        (FALLING, {"factor": 0.7}, 4),
        (FALLING, {"mode": "min"}, 0),
        ([-each for each in FALLING], {"mode": "min"}, -4),
        ([2, 3, *FALLING], {}, 0),  # better with the second of eleven
        ([*FALLING[:4], 4, *FALLING], {}, 0),
        ([2, 3, *FALLING, *FALLING, *FALLING], {"factor": 0.5}, 13),
        (FALLING, {"factor": 0.5, "min_lr": 0.02}, 0),  # which it is cut to
    ],
)
def test_cuts_are_counted_where_nothing_was_larger_than_one_of_the_first_values(
    values, about, told
):
    last = seen(values, **about)[-1]
    assert last["cuts_in_vain"] == told
    assert (last["vain_best"] == values[0]) == (told != 0 and values[0] != 2)


def test_a_rate_of_another_scheduler_or_of_none_is_not_looked_into(monkeypatch):
    monkeypatch.setattr("layerscope.record.parameters.plateau_cuts.live_objects", None)
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    cuts = PlateauCuts()
    assert cuts.see([optimizer])["cuts_in_vain"] == 0
    scheduler = StepLR(optimizer, 1, 0.1)
    optimizer.step()
    scheduler.step()
    assert cuts.see([optimizer])["cuts_in_vain"] == 0
    assert math.isnan(cuts.see([])["cuts_in_vain"])


def test_a_rate_that_somebody_else_has_cut_as_well_says_nothing():
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    scheduler = ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=1)
    cuts = PlateauCuts()
    cuts.see([optimizer])
    for value in FALLING:
        scheduler.step(value)
    assert cuts.see([optimizer])["cuts_in_vain"] == 4
    optimizer.param_groups[0]["lr"] *= 0.9
    assert cuts.see([optimizer])["cuts_in_vain"] == 0


def test_the_scheduler_of_another_optimizer_says_nothing():
    optimizer, other = (torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1) for _ in "ab")
    scheduler = ReduceLROnPlateau(other, mode="max", patience=1)
    cuts = PlateauCuts()
    cuts.see([optimizer]), cuts.see([other])
    for value in FALLING:
        scheduler.step(value)
    optimizer.param_groups[0]["lr"] = other.param_groups[0]["lr"]
    assert [cuts.see([each])["cuts_in_vain"] for each in (optimizer, other)] == [0, 4]


def test_of_two_schedulers_of_one_optimizer_nothing_is_told():
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    schedulers = [ReduceLROnPlateau(optimizer, mode="max", patience=1) for _ in "ab"]
    cuts = PlateauCuts()
    cuts.see([optimizer])
    for value in FALLING:
        schedulers[0].step(value)
    assert cuts.see([optimizer])["cuts_in_vain"] == 0
