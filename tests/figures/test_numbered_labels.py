"""Batches whose labels were numbered by themselves are told from chance."""

import numpy as np

from layerscope.figures.class_numbers import NumberedLabels

CHANCE = np.random.default_rng(0)


def batches_of(classes=10, size=16, count=12, shares=None):
    return [CHANCE.choice(classes, size, p=shares) for _ in range(count)]


def numbered(batches):
    seen = NumberedLabels()
    return [seen.see(labels) for labels in batches][-1]


def test_labels_numbered_in_each_batch_are_told_from_those_of_all_data():
    batches = batches_of(count=40)
    assert numbered(np.unique(each, return_inverse=True)[1] for each in batches) > 6
    assert numbered(batches) == 0
    assert numbered([*batches, *(np.arange(9) for _ in range(30))]) == 0  # once is enough


def test_classes_that_are_the_rarer_the_higher_their_number_are_none():
    shares = np.array([0.6, 0.3, 0.08, 0.02])
    values = [numbered(batches_of(4, 24, 40, shares)) for _ in range(20)]
    assert max(values) < 6
    assert numbered([np.array([0, 1, 1, 0])] * 30) == 0  # no batch lacks any
