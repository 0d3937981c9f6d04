"""Samples that are in their batch again with another label."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.figures.twins import Twins
from layerscope.record.ends.sample_marks import sample_marks

FIRST = np.arange(8)


def said(looks, kind=Loss.CROSS_ENTROPY, outputs=None):
    """What is said of each look: (marks, targets)."""
    seen, shares = Twins(), []
    for marks, targets in looks:
        marks, targets = np.asarray(marks), np.asarray(targets, float).reshape(-1, 1)
        values = (np.sin(marks * 7.0)[:, None] if outputs is None else outputs) * np.ones((1, 3))
        shares.append(seen.see(marks, LossView(kind, 1.0, targets), values))
    return shares


def twice(first, labels):
    """Each of eight samples from a number on, twice, with these labels."""
    return np.tile(first + FIRST, 2), labels


BOTH = np.repeat([0, 1], 8)


def test_the_share_of_twins_with_two_labels_is_told_from_the_second_look_on():
    assert said([twice(0, BOTH), twice(10, BOTH)]) == [0, 1]
    half = np.concatenate([np.zeros(8), FIRST % 2])
    assert said([twice(0, half), twice(10, half)]) == [0, 0.5]


def test_of_three_twins_two_may_agree():
    marks, labels = np.tile(FIRST, 3), np.repeat([0, 0, 1], 8)
    assert said([(marks, labels), (marks + 10, labels)]) == [0, 0]
    assert said([(marks, labels), (marks + 10, np.repeat([0, 1, 2], 8))]) == [0, 1]


def test_the_same_inputs_in_batch_after_batch_are_drawn_from_few():
    assert said([twice(0, BOTH), twice(0, BOTH), twice(6, BOTH)]) == [0, 0, 1]


def test_twins_with_one_label_and_few_twins_are_none():
    assert said([twice(0, np.tile(FIRST % 2, 2)), twice(10, np.tile(FIRST % 2, 2))]) == [0, 0]
    few = np.r_[FIRST, 0, 1, 2]
    labels = np.r_[np.zeros(8), 1, 1, 1]
    assert said([(few, labels), (few + 10, labels)]) == [0, 0]


def test_twins_whose_outputs_differ_have_got_something_else_beside():
    marks, labels = twice(0, BOTH)
    assert said(
        [(marks, labels), (marks + 10, labels)], outputs=np.sin(np.arange(16.0))[:, None]
    ) == [0, 0]


@pytest.mark.parametrize(("apart", "told"), [(1.0, 1.0), (0.3, 0.0)])
def test_targets_of_errors_are_to_be_as_far_apart_as_any(apart, told):
    rng = np.random.default_rng(0)
    of_sample, of_its_own = rng.standard_normal(40), rng.standard_normal(80)
    targets = apart * of_its_own + np.tile(of_sample, 2) * (1 - apart)
    marks = np.tile(np.arange(40), 2)
    assert said([(marks, targets), (marks + 50, targets)], Loss.SQUARED_ERROR) == [0, told]


def test_of_a_loss_without_targets_nothing_is_known():
    seen = Twins()
    unknown = [seen.see(FIRST, LossView(Loss.UNKNOWN), np.ones((8, 1))) for _ in range(2)]
    assert all(map(math.isnan, unknown))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_marks_are_the_same_where_samples_are_to_the_last_bit(dtype):
    pictures = torch.randn(6, 1, 16, 16, dtype=dtype)
    both = torch.cat([pictures, pictures])
    marks = sample_marks(both).get()
    assert marks[:6].equal(marks[6:])
    assert len(marks.unique()) == 6
    both[7, 0, 3, 5] += 0.01  # none of those that are probed
    assert len(sample_marks(both).get().unique()) == 7


@pytest.mark.parametrize(
    "data",
    [
        torch.randn(8, 32),  # none twice
        nn.functional.one_hot(torch.arange(4), 32).repeat(2, 1).float(),
        torch.ones(8, 32),
    ],
)
def test_rows_of_few_numbers_and_rows_that_all_differ_have_no_marks(data):
    assert len(sample_marks(data).get()) == 0


@pytest.mark.parametrize("data", [torch.randn(8), torch.randn(1, 32), torch.randn(2, 8)])
def test_nothing_is_asked_of_one_sample_or_of_few_features(data):
    assert sample_marks(data) is None
