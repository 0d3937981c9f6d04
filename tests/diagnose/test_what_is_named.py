"""What is certain is named: two values, one number, a schedule that makes the rate small."""

import numpy as np
import pytest

from layerscope.diagnose import Judge
from layerscope.diagnose.losses.loss_kind import Loss
from tests.diagnose.test_rules import at_looks, healthy, layer, network, rules_and_words


def binary(batches):
    """Figures of a binary cross-entropy, whose targets in looks are these, each a list."""
    figures = healthy(network(), 10 * len(batches))
    figures["loss_kind"][::10], figures["target_fraction"][::10] = Loss.BINARY, 0
    figures["loss"][:] = -1
    for look, targets in zip(range(0, 10 * len(batches), 10), map(np.array, batches), strict=True):
        figures["target_min"][look], figures["target_max"][look] = targets.min(), targets.max()
        figures["target_std"][look] = targets.std()
        figures["target_rms"][look] = np.sqrt(np.mean(targets**2.0))
    return figures


MASKS = [[0, 255, 255], [0, 0, 0], [0, 0, 255]] * 2


@pytest.mark.parametrize(
    ("batches", "remedy"),
    [
        (MASKS, "targets of 0 and 1: divide them by 255"),
        ([[255.0], *MASKS], "divide them by 255"),
        ([[0.0006, 254.9], *MASKS], "divide them by 255"),
        ([[-1, 1], [-1, -1], [-1, 1, 1]], "(target == 1).float()"),
        ([[1, 2, 2], [1, 2], [2, 2]], "(target == 2).float()"),
        ([*MASKS, [0, 1, 255]], "for 256 classes"),
        ([[1], *MASKS], "for 256 classes"),
        ([[0, 1], [0, 2], [0, 2]], "for 3 classes"),
        ([[0, 0.5, 2], [0, 2], [0, 2]], "for 3 classes"),  # as if whole
    ],
)
def test_targets_of_two_values_are_no_numbers_of_classes(batches, remedy):
    assert remedy in rules_and_words(binary(batches))["negative_loss"].remedy


def test_targets_that_are_not_known_whole_are_not_said_to_be_two_values():
    figures = binary(MASKS)
    figures["target_fraction"][:] = np.nan
    assert "from 0 to 255" in rules_and_words(figures)["negative_loss"].explanation


def classes_of_one_number(known):
    """Figures of a cross-entropy of class 0 alone, which rounding makes another loss after looks
    so many.
    """
    figures = healthy(network(), 120)
    figures["loss_kind"][::10], figures["samples"][::10] = Loss.BINARY_LOGITS, 64
    figures["outputs"][:], figures["output_alone"][:] = 10, 1
    at_looks(figures, targets_apart=0, output_rms=10, target_min=0, target_max=1)
    looks = slice(0, 10 * known, 10)
    figures["loss_kind"][looks], figures["targets_apart"][looks] = Loss.CROSS_ENTROPY, np.nan
    figures["labels_seen"][looks], figures["label"][looks] = 1, 0
    return rules_and_words(figures)["one_class"]


@pytest.mark.parametrize(("known", "words"), [(0, "one list"), (2, "a division or cast")])
def test_numbers_of_classes_that_became_one_are_no_rows_of_zeros(known, words):
    assert words in classes_of_one_number(known).remedy


@pytest.mark.parametrize(("others", "told"), [(1, False), (40, True)])
def test_a_layer_without_a_usual_gradient_has_no_spike(others, told):
    figures = healthy(network())
    figures["weight_grad_rms"][:, 2] = 0
    figures["weight_grad_rms"][40, 2] = 5.0
    figures["weight_grad_rms"][40, 3:] *= others
    spike = rules_and_words(figures).get("gradient_spike")
    assert (spike is not None) == told
    assert spike is None or "03_tanh is 40 times" in spike.explanation


@pytest.mark.parametrize(
    ("rates", "steps", "told"),
    [
        (1e-6 * 0.9 ** (np.arange(200) // 50), 200, True),
        (np.full(200, 1e-6), 200, False),  # a warm-up by epochs looks like it
        (np.full(400, 1e-6), 400, True),
        (np.r_[1e-6, np.full(99, 2e-6), np.full(100, 1e-6)], 200, False),
        (2e-5 * 0.9 ** (np.arange(200) // 50), 200, False),  # a fiftieth of what was asked
    ],
)
def test_a_schedule_that_makes_the_rate_small_from_the_start_is_told(rates, steps, told):
    figures = healthy(network(), steps)
    figures["learning_rate"][:], figures["rate_asked"][::10] = rates, 1e-3
    figures["loss"][:], figures["label_entropy"][::10] = 1.3, 1.4
    found = rules_and_words(figures).get("learning_rate_gone")
    assert (found is not None) == told
    if found:
        assert (found.step, found.severity) == (0, "warning")
        assert "returns a factor" in found.remedy
    figures["rate_asked"][:] = np.nan
    assert "learning_rate_gone" not in rules_and_words(figures)


@pytest.mark.parametrize(("asked", "words"), [(np.nan, "see what"), (1e-3, "scheduler.step()")])
def test_a_rate_of_0_is_put_down_to_a_schedule_only_where_there_is_one(asked, words):
    figures = healthy(network(), 100)
    figures["learning_rate"][:], figures["rate_asked"][::10] = 0, asked
    assert rules_and_words(figures)["learning_rate_gone"].remedy.startswith(words)


def looked_up(**changed):
    """A network behind an embedding that gets one number alone."""
    words = layer(0, None, 4, module="Embedding", can_die=False)
    figures = healthy((words, *(layer(i, "tanh", 4) for i in (1, 2)), layer(3, None, 4)), 120)
    figures["loss"][:] = 1.3
    figures["unit_spread"][:] = 0
    for name, values in changed.items():
        figures[name][:] = values
    return rules_and_words(figures).get("inputs_repeat")


def test_an_embedding_that_gets_one_number_alone_is_named():
    told = looked_up()
    assert told.severity == "warning"
    assert told.explanation.startswith("00_linear, an embedding, gets one number alone")


@pytest.mark.parametrize(
    "changed",
    [
        {"unit_spread": [0.5, 0, 0, 0]},
        {"unit_spread": [0, 0.5, 0, 0]},  # other data come in beside it
        {"unit_spread": [0, 0, 0, 0.5]},
        {"activation_max": [0, 0.9, 0.9, 0.9]},  # padding
        {"activation_count": [100, 6400, 6400, 6400]},  # of one row
    ],
)
def test_an_embedding_of_several_numbers_or_beside_other_data_is_not_named(changed):
    assert looked_up(**changed) is None


@pytest.mark.parametrize(
    ("new", "share", "told"), [(4, np.nan, True), (3, np.nan, False), (4, 0.04, False)]
)
def test_a_larger_rate_is_asked_for_a_new_head_alone_unless_it_has_its_own(new, share, told):
    figures = healthy(network(), 200)
    figures["loss"][:] = 1.39 - 1e-4 * figures.steps
    figures["update_to_weight"][:] = 1e-4
    figures["learning_rate"][:], figures["rate_default"][::10] = 4e-5, 1e-3
    figures["untrained"][:30, -1], figures["rate_share"][::10, 0] = new, share
    judge = Judge(figures.layers)
    for first in range(0, 200, 40):  # what a layer was is known in the first alone
        judge.look(figures.of_rows(slice(first, first + 40)))
    (found,) = (each for each in judge.findings if each.rule == "loss_not_falling")
    assert ("larger optimizer.lr for 05_linear alone" in found.remedy) == told
    assert ("05_linear, the last layer, looks as just drawn" in found.explanation) == told
    assert "25 times larger: 0.001" in found.remedy


@pytest.mark.parametrize(("lost", "told"), [(1, True), (40, False)])
def test_targets_stay_as_they_were_where_the_loss_is_lost_at_once(lost, told):
    figures = healthy(network(), 40)
    figures["loss_kind"][0], figures["target_rms"][0] = Loss.SQUARED_ERROR, 2e4
    figures["loss"][lost:] = np.inf
    assert ("target_scale" in rules_and_words(figures)) == told


@pytest.mark.parametrize(
    ("functions", "follows", "words"),
    [
        (None, (1, 2), "no layer of the network has an activation function"),
        (None, (2,), "with no function in between"),  # a norm of one's own, say
        ("tanh", (1, 2), "with no function in between"),
    ],
)
def test_a_network_without_any_function_is_said_to_have_none(functions, follows, words):
    layers = [
        layer(i, functions if i == 0 else None, 3, follows=f"0{i - 1}" if i in follows else "")
        for i in range(3)
    ]
    assert words in rules_and_words(healthy(tuple(layers)))["linear_chain"].explanation
