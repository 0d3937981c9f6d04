"""Of several remedies a finding gives the one for the cause that it sees."""

from dataclasses import replace

import numpy as np
import pytest

from tests.diagnose.test_rules import healthy, layer, network, rules_and_words


@pytest.mark.parametrize(
    ("rms", "remedy"), [(1.0, "nn.init.xavier_normal_"), (0.1, "smaller inputs to 02_tanh")]
)
def test_weights_of_a_usual_size_are_not_blamed_for_saturation(rms, remedy):
    layers = [layer(i, width=(100, 100)) for i in range(5)] + [layer(5, None, width=(100, 100))]
    figures = healthy(layers)
    figures["saturated"][:, 2] = 0.6
    figures["weight_rms"][:, 2] = rms
    assert rules_and_words(figures)["saturated"].remedy.startswith(remedy)


def test_the_size_of_weights_is_that_of_the_start():
    layers = [layer(i, width=(100, 100)) for i in range(5)] + [layer(5, None, width=(100, 100))]
    figures = healthy(layers)
    figures["saturated"][:, 2] = 0.6
    figures["weight_rms"][1:, 2] = 5.0  # they have grown since
    assert "smaller inputs" in rules_and_words(figures)["saturated"].remedy


@pytest.mark.parametrize(("rms", "of"), [(0.1, "the last layer"), (1.0, "all layers")])
def test_large_weights_before_the_last_layer_are_made_small_too(rms, of):
    layers = [layer(i, None, width=(100, 100)) for i in range(6)]
    figures = healthy(layers)
    figures["loss"][0] = 100.0
    figures["weight_rms"][0] = [rms] * 5 + [1.0]
    told = rules_and_words(figures, classes=27)["overconfident_start"]
    assert told.remedy.startswith(f"smaller weights in {of}")


def test_where_no_matrix_is_known_none_is_called_the_last():
    layers = [layer(0, None)]
    figures = healthy(layers)
    figures["loss"][0] = 100.0
    told = rules_and_words(figures, classes=27)["overconfident_start"]
    assert told.remedy.startswith("smaller weights in each matrix that this module")


@pytest.mark.parametrize(("ratio", "words"), [(1e-6, "as many times larger"), (0, "see what")])
def test_no_rate_is_told_where_a_layer_does_not_move_at_all(ratio, words):
    figures = healthy(network())
    figures["update_to_weight"][:, 3] = ratio
    told = rules_and_words(figures)["update_too_small"]
    assert words in told.remedy
    assert ("larger" in told.remedy) == (ratio > 0)
    assert np.isneginf(told.value) == (ratio == 0)


def that_stays(layers, steps=400):
    figures = healthy(layers, steps)
    figures["loss"][:] = 3 + 1e-3 * np.cos(np.arange(steps))
    return figures


@pytest.mark.parametrize(
    ("default", "words"),
    [(1.0, "1000 times larger: 1 is"), (5e-3, "ten times"), (np.nan, "ten times")],
)
def test_a_rate_far_below_what_its_optimizer_has_by_itself_is_raised_to_that(default, words):
    figures = that_stays(network(), 120)
    figures["update_to_weight"][:] = 10**-3.8
    figures["learning_rate"][:], figures["rate_default"][::10] = 1e-3, default
    assert words in rules_and_words(figures)["loss_not_falling"].remedy
    figures["learning_rate"][5] = 0.2  # it has been there
    assert "ten times" in rules_and_words(figures)["loss_not_falling"].remedy


@pytest.mark.parametrize(
    ("update", "at_first", "words"),
    [(0.1, 0.5, "optimizer.lr a tenth"), (1e-3, 0.5, "kaiming"), (0.1, 0.08, "kaiming")],
)
def test_a_gradient_that_fades_once_steps_have_moved_the_weights_far_is_of_the_rate(
    update, at_first, words
):
    figures = healthy(network())
    figures["update_to_weight"][:] = update
    figures["weight_grad_rms"][:4, 0] *= at_first
    figures["activation_grad_rms"][:4, 0] *= at_first
    figures["weight_grad_rms"][4:, 0] *= 1e-5
    figures["activation_grad_rms"][4:, 0] *= 1e-5
    told = rules_and_words(figures)["vanishing_gradient"]
    assert told.step == 4
    assert words in told.remedy


@pytest.mark.parametrize(
    ("update", "at_first", "starts"), [(0.1, 0.5, True), (1e-3, 0.5, False), (0.1, 0.02, False)]
)
@pytest.mark.parametrize("since", [4, 300])
def test_samples_that_become_alike_once_weights_have_moved_far_are_of_the_rate(
    since, update, at_first, starts
):
    figures = healthy(network(), 320)
    figures["update_to_weight"][:] = update
    figures["unit_spread"][:since] = at_first
    figures["unit_spread"][since:] = 1e-4
    told = rules_and_words(figures)["collapsed"]
    assert told.step == since
    assert ("a tenth of what it is" in told.remedy) == starts


@pytest.mark.parametrize(("update", "first"), [(0.03, "optimizer.lr"), (3e-3, "nn.utils.clip")])
def test_a_spike_among_steps_of_ten_times_the_usual_size_is_of_the_rate_first(update, first):
    figures = healthy(network())
    figures["update_to_weight"][:] = update
    figures["weight_grad_rms"][50] *= 500
    told = rules_and_words(figures)["gradient_spike"]
    assert told.remedy.startswith(first)
    assert "clip" in told.remedy


@pytest.mark.parametrize(("rms", "asked"), [(0.05, True), (0.1, False), (0.2, False)])
def test_larger_weights_are_not_asked_for_where_they_began_with_a_usual_size(rms, asked):
    layers = [layer(i, width=(100, 100)) for i in range(5)] + [layer(5, None, width=(100, 100))]
    figures = healthy(layers)
    figures["activation_std"][9:, 3] = 0.005
    figures["weight_rms"][:, 3] = rms
    told = rules_and_words(figures)["idle"]
    assert ("nn.init" in told.remedy) == asked
    assert ("larger weights are not" in told.remedy) != asked


@pytest.mark.parametrize("normalizes", [True, False])
def test_no_normalisation_is_asked_for_where_there_is_one_right_before(normalizes):
    layers = [replace(each, normalizes=normalizes) for each in network()]
    figures = healthy(layers)
    figures["activation_mean"][4:, 1] = -1.3
    assert ("or a normalisation" in rules_and_words(figures)["biased"].remedy) != normalizes
    figures = healthy(layers)
    figures["unit_spread"][:, 2:] = 1e-4
    assert ("or a normalisation" in rules_and_words(figures)["collapsed"].remedy) != normalizes


@pytest.mark.parametrize("clipped", [True, False])
def test_no_clip_is_asked_for_where_the_loop_changes_gradients_already(clipped):
    figures = healthy(network())
    figures["gradients_changed"][::10] = clipped
    figures["weight_grad_rms"][40, 2:] *= 40
    told = rules_and_words(figures)["gradient_spike"]
    assert told.remedy.startswith("the loop changes" if clipped else "nn.utils.clip_grad_norm_")
    assert told.severity == "warning"

    figures = healthy(network(), 120)
    figures["gradients_changed"][::10] = clipped
    falls, rises = np.linspace(2, 0.5, 60), np.linspace(0.5, 1.8, 20)
    figures["loss"][:] = np.r_[falls, rises, np.full(40, 1.8)]
    figures["target_rms"][:] = 1
    told = rules_and_words(figures)["loss_diverged"]
    assert "lost again" in told.explanation
    assert ("clip" in told.remedy) != clipped

    figures = healthy(network(), 60)
    figures["gradients_changed"][::10] = clipped
    figures["loss"][:] = 1.1
    figures["loss"][0], figures["loss"][7] = 1.0, 40.0
    told = rules_and_words(figures)["loss_diverged"]
    assert "has undone" in told.explanation
    assert ("clip" in told.remedy) != clipped
