"""Batches of one class each, told by the labels of looks."""

import numpy as np
import pytest

from tests.diagnose.test_rules import found, healthy, network


def told(within, **others):
    figures = healthy(network(), 100)
    looked = {"samples": 32, "label_entropy": 1.4, "loss_floor": 0.0} | others
    for name, value in looked.items():
        figures[name][::10] = value
    figures["batch_entropy"][::10] = np.resize(within, 10)
    return found(figures).get("not_shuffled")


def test_batches_of_one_class_each_are_not_shuffled_and_random_ones_are():
    assert told(0.0) == ("warning", "loss", 40, 1)
    assert told([0.0, 0.2]) is not None
    assert told([0.0, 0.0, np.nan]) == ("warning", "loss", 60, 1)  # some labels are not known
    assert told(1.3) is None
    assert told(0.7) is None


def test_what_smoothing_adds_to_the_labels_is_taken_off_both():
    assert told(0.4, loss_floor=0.2) is not None
    assert told(0.4) is None


@pytest.mark.parametrize(
    "others",
    [
        *({"label_entropy": of_all} for of_all in (0.05, np.nan)),
        *({"samples": 4}, {"optimizers": 2}, {"loss_floor": 1.35}),
    ],
    ids=["one class so far", "weighted classes", "few samples", "a game", "smoothed labels"],
)
def test_nothing_is_said_of_an_order_that_chance_or_design_may_make(others):
    assert told(0.0 if "loss_floor" not in others else 1.38, **others) is None


def test_a_batch_of_few_samples_of_many_classes_has_its_own_most():
    """Eight samples of a thousand classes: ln 8 at most."""
    assert told(1.5, samples=8, label_entropy=6.9) is None
    assert told(0.0, samples=8, label_entropy=6.9) is not None
