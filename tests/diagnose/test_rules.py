"""Each rule on figures that one can check by eye."""

import math
from dataclasses import replace

import numpy as np
import pytest

from layerscope.diagnose import Figures, Judge, LayerFacts, Thresholds
from layerscope.diagnose.findings.one_rate import AFTERWARDS
from layerscope.diagnose.findings.other_findings import not_measured_finding
from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.measured.last_function import LastFunction

DEFAULT = Thresholds()


def layer(order, nonlinearity="tanh", count=6, **facts):
    odd = nonlinearity == "tanh"
    bounds = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0)}
    defaults = {
        "module": "Linear",
        "order": order,
        "nonlinearity": nonlinearity,
        "bounds": bounds.get(nonlinearity),
        "odd": odd,
        "can_die": nonlinearity == "relu",
        "weights": ("weight",),
        "last": order == count - 1,
    }
    name = f"{order:02d}_{nonlinearity or 'linear'}"
    return LayerFacts(name, name, **defaults | facts)


def network(nonlinearity="tanh", count=6):
    """Hidden layers and a last one, which is linear."""
    hidden = [layer(i, nonlinearity, count) for i in range(count - 1)]
    return (*hidden, layer(count - 1, None, count))


def healthy(layers, steps=60):
    """Figures with nothing wrong in them: 64 samples of 100 units."""
    figures = Figures.empty(layers, range(steps))
    of_all = {
        "activation_count": 6400,
        "activation_mean": 0.0,
        "activation_std": 0.6,
        "activation_min": -0.9,
        "activation_max": 0.9,
        "activation_nonfinite": 0,
        "zeros": 0.0,
        "activation_grad_rms": 1e-3,
        "activation_grad_nonfinite": 0,
        "weight_grad_rms": 1e-2,
        "weight_grad_nonfinite": 0,
        "weight_rms": 0.1,
        "update_to_weight": 1e-3,
        "units": 100,
        "unit_spread": 1.0,
        "inputs_finite": 1,
    }
    for figure, value in of_all.items():
        figures[figure][:] = value
    for column, facts in enumerate(layers):
        if facts.bounds:
            figures["saturated"][:, column] = 0.01
        if facts.can_die:
            for figure in ("silent_units", "dead_units", "quiet_units"):
                figures[figure][:, column] = 0
    for figure, value in {
        "loss": 3.0,
        "learning_rate": 1e-3,
        "clip_factor": 1,
        "skipped": 0,
    }.items():
        figures[figure][:] = value
    return figures


@pytest.fixture
def figures():
    """Of a run of the usual length, with nothing wrong in them."""
    return healthy(network())


def part_until(figures, step):
    return figures.of_rows(slice(step))


def assert_found_alike(figures, cut):
    """Whether the figures come at once, or in two parts."""
    whole, parts = (Judge(figures.layers, DEFAULT) for _ in range(2))
    whole.look(figures)
    for rows in (slice(cut), slice(cut, None)):
        parts.look(figures.of_rows(rows))
    assert parts.findings == whole.findings


def at_looks(figures, **values):
    """Writes what every tenth step is to have of these figures."""
    for name, value in values.items():
        figures[name][::10] = value


def rules_and_words(figures, thresholds=DEFAULT, **options):
    """{rule: finding} of all that is found."""
    judge = Judge(figures.layers, thresholds, **options)
    judge.look(figures)
    return {finding.rule: finding for finding in judge.findings}


def found(figures, thresholds=DEFAULT, **options):
    """{rule: (severity, layer, step, layers)} of all that is found."""
    told = rules_and_words(figures, thresholds, **options).values()
    return {f.rule: (f.severity, f.layer, f.step, f.layers) for f in told}


def test_nothing_is_found_where_nothing_is_wrong():
    assert found(healthy(network())) == {}
    assert found(healthy(network("relu")), classes=27) == {}


# saturated


@pytest.mark.parametrize(
    ("first", "remedy"), [(0, "smaller weights"), (3, "a smaller optimizer.lr")]
)
def test_a_note_from_the_first_step_on_is_answered_with_the_init(figures, first, remedy):
    figures["saturated"][first:, 2] = 0.1
    (told,) = Judge(figures.layers).look(figures)
    assert (told.severity, told.step) == ("note", first)
    assert told.remedy.startswith(remedy)
    assert ("nn.init.xavier" in told.remedy) == (first == 0)


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0.05, None), (0.051, "note"), (0.2, "note"), (0.201, "warning"), (0.501, "critical")],
)
def test_the_limits_of_saturation_are_the_courses(figures, share, severity):
    figures["saturated"][:, 2] = share
    expected = {} if severity is None else {"saturated": (severity, "02_tanh", 0, 1)}
    assert found(figures) == expected


# 30 %, and what one in twenty layers of 100 units, or of a million, has by chance beyond that
@pytest.mark.parametrize(
    ("share", "units", "severity"),
    [
        *((0.37, 100, "note"), (0.38, 100, "warning"), (0.501, 100, "critical")),
        *((0.3, 1e6, "note"), (0.302, 1e6, "warning"), (0.302, np.nan, "warning")),
    ],
)
def test_what_training_fills_may_be_a_little_fuller_and_by_chance(figures, share, units, severity):
    figures["saturated"][8:, 2], figures["units"][:, 2] = share, units
    assert found(figures) == {"saturated": (severity, "02_tanh", 8, 1)}
    (finding,) = Judge(figures.layers).look(figures)
    assert finding.threshold == (0.05 if severity == "note" else 0.30)


def test_a_warning_that_becomes_critical_keeps_its_place(figures):
    figures["saturated"][8:, 2] = 0.4
    figures["saturated"][20:, 1] = 0.9
    assert found(figures) == {"saturated": ("critical", "02_tanh", 8, 2)}


def test_a_symptom_must_last_for_five_steps(figures):
    figures["saturated"][8:12, 2] = 0.4
    assert found(figures) == {}
    figures["saturated"][12, 2] = 0.4
    assert found(figures)["saturated"] == ("warning", "02_tanh", 8, 1)
    assert found(figures, Thresholds(lasting=6)) == {}


def test_a_step_without_a_measurement_neither_ends_a_streak_nor_lengthens_it(figures):
    figures["saturated"][:] = np.nan
    figures["saturated"][10:28:4, 2] = 0.4
    assert found(figures)["saturated"] == ("warning", "02_tanh", 10, 1)


def test_the_last_layer_may_be_as_sure_as_it_likes():
    layers = (*network()[:5], layer(5, "sigmoid"))
    figures = healthy(layers)
    figures["saturated"][:, 5] = 1.0
    assert found(figures) == {}


def test_the_last_of_each_network_may_fill_the_ends_of_its_function():
    """A generator's tanh, before a discriminator's layers."""
    figures = healthy((*network()[:2], layer(2, end=True), *network()[3:]))
    figures["saturated"][:, 2] = 0.9
    figures["activation_mean"][:, 2] = -0.9
    assert found(figures) == {}


def test_a_gate_may_learn_to_shut_but_not_begin_shut():
    layers = (layer(0), layer(1, "sigmoid"), *network()[2:])
    figures = healthy(layers)
    figures["saturated"][5:, 1] = 0.9
    assert found(figures)["saturated"] == ("note", "01_sigmoid", 5, 1)
    figures["saturated"][:, 1] = 0.3
    assert found(figures)["saturated"] == ("warning", "01_sigmoid", 0, 1)


def test_of_a_softmax_the_share_of_samples_counts():
    layers = (layer(0), layer(1, "softmax"), *network()[2:])
    figures = healthy(layers)
    figures["activation_mean"][:, 1] = 1 / 8  # over 8 tokens
    figures["saturated"][:, 1] = 1 / 8 / 8  # the first, which sees itself alone
    assert found(figures) == {}
    figures["saturated"][:, 1] = 2 / 8 / 8
    assert found(figures)["saturated"] == ("note", "01_softmax", 0, 1)
    figures["saturated"][:, 1] = 3 / 8 / 8
    assert found(figures)["saturated"] == ("warning", "01_softmax", 0, 1)


def test_what_gets_no_gradient_while_others_do_blocks_none(figures):
    figures["saturated"][:, 1] = 0.9
    assert "saturated" in found(figures)
    figures["activation_grad_rms"][:, 1] = np.nan
    assert found(figures) == {}


# idle


@pytest.mark.parametrize(
    ("std", "severity"), [(0.0101, None), (0.0099, "warning"), (0.0, "critical")]
)
def test_an_activation_function_without_spread_is_idle(figures, std, severity):
    figures["activation_std"][9:, 3:] = std
    expected = {} if severity is None else {"idle": (severity, "03_tanh", 9, 2)}
    assert found(figures) == expected


@pytest.mark.parametrize("zero", [True, False])
def test_a_function_right_behind_weights_of_zero_is_not_idle(zero):
    """A coupling that begins as the identity: how far it goes from there is learned."""
    layers = network()
    figures = healthy(layers)
    (before,) = (i for i, each in enumerate(layers) if each.order == layers[2].order - 1)
    figures["weight_rms"][0, before] = 0.0 if zero else 0.1
    figures["activation_std"][:, 2] = 1e-3
    assert ("idle" in found(figures)) == (not zero)


def test_a_normalisation_further_on_restores_any_scale():
    layers = (*network("gelu")[:4], layer(4, None, normalizes=True), layer(5, None))
    figures = healthy(layers)
    figures["activation_std"][:, 1] = 0.001
    assert found(figures) == {}
    figures["activation_std"][:, 1] = 0
    assert found(figures) == {"idle": ("critical", "01_gelu", 0, 1)}


def test_where_all_units_are_dead_that_is_told_and_not_that_they_are_idle():
    figures = healthy(network("relu"))
    figures["activation_std"][:, 2] = 0
    figures["zeros"][:, 2] = 1
    assert found(figures) == {"dead_units": ("critical", "02_relu", 0, 1)}
    figures["dead_units"][:] = np.nan  # nobody counts them
    assert found(figures) == {"idle": ("critical", "02_relu", 0, 1)}


# biased


@pytest.mark.parametrize(
    ("mean", "severity"), [(0.29, None), (-0.31, "note"), (1.19, "note"), (-1.21, "warning")]
)
def test_outputs_on_one_side_are_biased(figures, mean, severity):
    figures["activation_mean"][4:, 1] = mean
    expected = {} if severity is None else {"biased": (severity, "01_tanh", 4, 1)}
    assert found(figures) == expected


def test_outputs_without_any_spread_are_idle_and_not_biased(figures):
    figures["activation_mean"][:, 2], figures["activation_std"][:, 2] = 0.5, 0.0
    assert found(figures) == {"idle": ("critical", "02_tanh", 0, 1)}


def test_a_function_that_is_not_odd_may_have_any_mean():
    figures = healthy(network("relu"))
    figures["activation_mean"][:] = 2.0
    assert found(figures) == {}


# dead units


@pytest.mark.parametrize(
    ("dead", "severity"),
    [(10, None), (11, "note"), (40, "note"), (41, "warning"), (91, "critical")],
)
def test_dead_units_are_named_with_the_step_since_when(dead, severity):
    figures = healthy(network("relu"))
    figures["silent_units"][20:, 2] = dead
    figures["dead_units"][36:, 2] = dead
    figures["dead_since"][36:, 2] = 20
    expected = {} if severity is None else {"dead_units": (severity, "02_relu", 20, 1)}
    assert found(figures) == expected


@pytest.mark.parametrize(
    ("quiet", "loss", "severity"),
    [(40, 3.0, None), (41, 3.0, "warning"), (99, 3.0, "warning"), (60, 1.4, "note")],
)
def test_on_small_data_dead_units_are_told_before_they_are_sure(quiet, loss, severity):
    figures = healthy(network("relu"))
    figures["loss"][10:] = loss
    figures["silent_units"][20:, 2] = figures["quiet_units"][25:, 2] = quiet
    told = found(figures)
    assert told == ({} if severity is None else {"dead_units": (severity, "02_relu", 20, 1)})
    if severity == "warning":
        assert "with 95% certainty" in rules_and_words(figures)["dead_units"].explanation
        assert found(part_until(figures, 39)) == {"dead_units": ("note", "02_relu", 20, 1)}
    figures["dead_units"][36:, 2], figures["dead_since"][36:, 2] = quiet, 20
    sure = rules_and_words(figures).get("dead_units")
    assert (sure is not None and sure.severity) == (
        "critical" if quiet > 90 else severity or "note"
    )


@pytest.mark.parametrize(("steps", "severity"), [(1, "note"), (4, "note"), (5, "critical")])
def test_a_layer_of_which_all_is_silent_is_dead_only_once_that_lasts(steps, severity):
    figures = healthy(network("relu"))
    rows = slice(25, 25 + steps)
    figures["silent_units"][rows, 2] = figures["quiet_units"][rows, 2] = 100
    assert found(figures) == {"dead_units": (severity, "02_relu", 25, 1)}


def test_on_small_data_dead_units_are_a_note_while_the_loss_falls():
    figures = healthy(network("relu"))
    figures["loss"][10:] = 2.9  # of 3.0
    figures["silent_units"][20:, 2] = figures["quiet_units"][25:, 2] = 60
    assert found(figures) == {"dead_units": ("note", "02_relu", 20, 1)}


@pytest.mark.parametrize("kind", [Loss.CROSS_ENTROPY, Loss.UNKNOWN])
@pytest.mark.parametrize("falls", [False, True])
def test_of_a_loss_whose_lowest_nobody_knows_it_counts_that_it_falls(kind, falls):
    figures = healthy(network("relu"))
    figures["loss"][10:] = 2.9 if falls else 3.0
    figures["loss_kind"][::10] = kind
    figures["silent_units"][20:, 2] = figures["dead_units"][36:, 2] = 60
    figures["dead_since"][36:, 2] = 20
    is_note = falls and kind == Loss.UNKNOWN
    assert found(figures)["dead_units"][0] == ("note" if is_note else "warning")


@pytest.mark.parametrize(("least", "told"), [(-4.5e-8, False), (-1e-3, True)])
def test_a_loss_of_0_that_rounding_takes_below_it_has_no_sign_to_turn(least, told):
    figures = healthy(network(), 100)
    figures["loss"][::2], figures["loss_negated"][::10] = least, 1
    figures["loss"][1::2] = least
    assert ("negative_loss" in found(figures)) == told


@pytest.mark.parametrize(("of_rewards", "told"), [(1, []), (0, [("negative_loss", True)])])
def test_a_loss_that_may_be_below_zero_asks_for_nothing_and_a_policys_is_not_told(
    figures, of_rewards, told
):
    figures["loss"][:] = np.linspace(-0.1, -0.9, 60)
    figures["loss_kind"][::5], figures["of_rewards"][::5] = 0, of_rewards
    judge = Judge(())
    judge.look(figures)
    assert [(each.rule, each.harmless) for each in judge.findings] == told


def test_a_loss_that_comes_down_to_zero_and_passes_it_is_not_told(figures):
    """As that of a density does; minus a loss is below 0 from the first step on."""
    figures["loss"][:] = np.linspace(2, -3, 60)
    figures["loss_kind"][::5] = 0
    assert found(figures) == {}
    figures["loss"][:] = np.linspace(-2, -3, 60)
    assert found(figures)["negative_loss"][0] == "note"


@pytest.mark.parametrize(("layers", "harmless"), [(1, True), (3, False)])
def test_a_few_layers_that_are_not_measured_ask_for_nothing_while_the_loss_falls(layers, harmless):
    figures = healthy(network())  # of five layers
    figures["loss"][10:] = 2.0  # of 3.0
    judge = Judge(())
    judge.look(figures)
    judge.add(not_measured_finding({f"0{k}_tanh": "not called" for k in range(layers)}))
    assert [each.harmless for each in judge.findings] == [harmless]


@pytest.mark.parametrize(
    ("born", "dead", "told"),
    [
        (50, 57, None),  # of 100: 8 more are chance, too
        (50, 60, "warning"),
        (20, 57, "warning"),
        (20, 27, None),
        (20, 29, "note"),
    ],
)
def test_units_that_chance_has_made_silent_are_not_told_of(born, dead, told):
    figures = healthy(network("relu"))
    figures["silent_units"][0, 2] = born
    figures["zeros"][0, 2] = 0.5
    figures["silent_units"][1:, 2] = dead
    figures["dead_units"][36:, 2], figures["dead_since"][36:, 2] = dead, 1
    finding = rules_and_words(figures).get("dead_units")
    assert (finding and finding.severity) == told


def test_a_layer_of_few_units_is_dead_with_all_of_them_however_many_were_born_silent():
    figures = healthy(network("relu"))
    figures["units"][:, 2] = 2
    figures["silent_units"][0, 2], figures["zeros"][0, 2] = 1, 0.5
    figures["silent_units"][1:, 2] = 2
    figures["dead_units"][36:, 2], figures["dead_since"][36:, 2] = 2, 1
    assert rules_and_words(figures)["dead_units"].severity == "critical"


@pytest.mark.parametrize(
    ("falls", "warned", "harmless"),
    [(True, False, True), (False, False, False), (True, True, False)],
)
def test_a_note_of_a_layer_is_harmless_while_the_loss_falls_and_nothing_is_warned_of(
    figures, falls, warned, harmless
):
    figures["loss"][10:] = 2.0 if falls else 3.0  # of 3.0
    figures["activation_mean"][:, 2] = 0.8 * figures["activation_std"][:, 2]
    figures["activation_std"][:, 4] *= 0.001 if warned else 1
    told = rules_and_words(figures)
    assert told["biased"].severity == "note"
    assert told["biased"].harmless == harmless


def test_units_that_a_bias_has_shut_are_warned_of():
    figures = healthy(network("relu"))
    figures["silent_units"][:, 2] = 57
    figures["zeros"][0, 2] = 0.8  # of the others half, as of any
    figures["dead_units"][36:, 2], figures["dead_since"][36:, 2] = 57, 0
    assert rules_and_words(figures)["dead_units"].severity == "warning"


def test_a_layer_is_dead_since_most_of_its_units_are_and_not_since_some_were():
    figures = healthy(network("relu"))
    figures["silent_units"][:, 2] = np.where(np.arange(60) < 9, 45, 100)
    figures["zeros"][9:, 2] = 1
    assert found(figures)["dead_units"] == ("critical", "02_relu", 9, 1)


def test_units_that_are_not_finite_are_not_dead():
    figures = healthy(network("relu"))
    figures["activation_nonfinite"][20:] = 6400
    for figure in ("silent_units", "quiet_units", "dead_units"):
        figures[figure][20:, :5] = 100
    assert found(figures) == {"not_finite": ("critical", "00_relu", 20, 1)}


def test_one_unit_that_was_dead_from_the_start_does_not_date_the_death_of_the_others():
    figures = healthy(network("relu"))
    figures["silent_units"][:, 2] = 1
    figures["dead_units"][16:, 2] = 1
    figures["dead_since"][16:, 2] = 0
    figures["silent_units"][20:, 2] = figures["dead_units"][36:, 2] = 50
    assert found(figures)["dead_units"] == ("warning", "02_relu", 20, 1)


def test_a_gate_may_learn_to_shut_units_for_good():
    layers = (layer(0), layer(1, "sigmoid", can_die=True), *network()[2:])
    figures = healthy(layers)
    figures["dead_units"][:, 1] = figures["silent_units"][:, 1] = 90
    assert found(figures) == {}


def test_units_that_are_often_silent_by_chance_do_not_date_a_death_too_early():
    figures = healthy(network("relu"))
    figures["silent_units"][:, 2] = 60  # a small batch
    figures["dead_units"][36:, 2], figures["dead_since"][36:, 2] = 60, 20
    assert found(figures)["dead_units"] == ("warning", "02_relu", 20, 1)


def test_units_that_are_silent_in_small_batches_only_are_not_dead():
    figures = healthy(network("relu"))
    figures["silent_units"][:] = 60
    assert found(figures) == {}


# the gradient's profile


def profile(figures, norms, steps=slice(None)):
    figures["activation_grad_rms"][steps, : len(norms)] = norms


@pytest.mark.parametrize(
    ("norms", "expected"),
    [
        ([1, 1, 1, 1, 1], None),
        ([0.11, 0.2, 0.4, 0.7, 1], None),
        ([0.09, 0.2, 0.4, 0.7, 1], ("note", "01_tanh", 7, 3)),
        ([0.04, 0.1, 0.2, 0.4, 1], ("note", "01_tanh", 7, 4)),
        ([0.02, 0.1, 0.2, 0.4, 1], ("warning", "01_tanh", 7, 2)),
        ([0.01, 0.01, 0.01, 1, 1], ("warning", "03_tanh", 7, 1)),
        ([1e-8, 1e-6, 1e-4, 1e-2, 1], ("critical", "01_tanh", 7, 4)),
        ([0, 0, 1e-4, 1e-2, 1], ("critical", "03_tanh", 7, 2)),
        # what is exactly 0 was cut off
        ([0, 0, 1, 1, 1], None),
        ([0, 0, 0, 1e-3, 1], None),
        # a branch that gets little beside a healthy stream, and one that gets much
        ([1, 1e-6, 1, 1e-6, 1], None),
        ([1, 1, 1e6, 1, 1], None),
        ([1, 0, 1, 0, 1], None),
    ],
)
def test_a_gradient_vanishes_from_end_to_end_and_the_layers_that_lose_it_are_named(
    figures, norms, expected
):
    figures["update_to_weight"][:] = math.nan
    profile(figures, norms, slice(7, None))
    result = found(figures)
    result.pop("exploding_gradient", None)
    assert result == ({} if expected is None else {"vanishing_gradient": expected})


@pytest.mark.parametrize(
    ("norms", "expected"),
    [
        ([299, 64, 16, 4, 1], None),
        ([301, 64, 16, 4, 1], ("note", "01_tanh", 7, 4)),
        ([2e3, 2e3, 2e3, 1, 1], ("warning", "03_tanh", 7, 1)),
        ([2e5, 2e5, 1, 1, 1], ("critical", "02_tanh", 7, 1)),
        ([1, 1, 1e6, 1, 1], None),
        ([1e4, 1, 1e4, 1, 1e4], None),
    ],
)
def test_a_gradient_explodes_from_end_to_end_and_the_layers_that_enlarge_it_are_named(
    figures, norms, expected
):
    profile(figures, norms, slice(7, None))
    assert found(figures) == ({} if expected is None else {"exploding_gradient": expected})


@pytest.mark.parametrize("measured", [1, 2])
def test_a_gradient_that_explodes_until_nothing_is_finite_is_found_all_the_same(figures, measured):
    figures["activation_grad_rms"][:, :-1] = [2e5, 2e5, 1, 1, 1]
    for figure in ("activation_grad_rms", "weight_grad_rms"):
        figures[figure][measured:] = math.nan
    assert "exploding_gradient" not in found(figures)  # not measured, which says nothing
    figures["loss"][measured:] = math.inf
    assert found(figures)["exploding_gradient"] == ("critical", "02_tanh", 0, 1)
    figures["activation_grad_rms"][0, :-1] = figures["activation_grad_rms"][measured - 1, :-1] = 1
    assert "exploding_gradient" not in found(figures)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_the_loss_is_no_disease(figures, scale):
    for figure in ("activation_grad_rms", "weight_grad_rms"):
        figures[figure][:] *= scale
    figures["loss"][:] *= scale
    assert found(figures) == {}


def test_the_norm_counts_so_that_many_small_gradients_are_as_good_as_few_large_ones(figures):
    figures["activation_count"][:, :5] = [6400 * 4**i for i in (4, 3, 2, 1, 0)]
    profile(figures, [1e-3 * 2.0**i for i in range(5)])
    assert found(figures) == {}


def test_a_head_that_starts_at_zero_passes_no_gradient_on_in_the_first_step(figures):
    profile(figures, [0, 0, 0, 0, 0], slice(0, 1))
    profile(figures, [1e-6] * 5, slice(1, 2))
    assert found(figures) == {}


def test_frozen_layers_have_no_place_in_the_profile_and_two_layers_have_none(figures):
    profile(figures, [math.nan, math.nan, math.nan, 1e-6, 1])
    assert found(figures) == {}
    profile(figures, [math.nan, math.nan, 1e-6, 1e-3, 1])
    assert found(figures)["vanishing_gradient"] == ("critical", "03_tanh", 0, 2)


# spikes


def test_a_spike_is_one_step_far_above_the_running_median(figures):
    figures["weight_grad_rms"][40, 2:] *= 40
    assert found(figures) == {"gradient_spike": ("warning", "02_tanh", 40, 4)}


@pytest.mark.parametrize("afterwards", [1.0, 1.02, 1.4])
def test_a_spike_of_fifteen_times_the_median_is_a_warning_if_the_loss_is_higher_afterwards(
    figures, afterwards
):
    figures["loss"][:5], figures["loss"][5:] = 3, 1
    figures["loss"][::2] *= 1.001
    figures["loss"][41:] *= afterwards
    figures["weight_grad_rms"][40] *= 15
    severity = "warning" if afterwards > 1.1 else "note"  # less than what had been learned
    assert found(figures) == {"gradient_spike": (severity, "00_tanh", 40, 6)}


@pytest.mark.parametrize(
    ("gain", "at", "severity"), [(9e-4, 40, "note"), (2e-3, 40, "warning"), (9e-4, 90, "warning")]
)
def test_a_spike_is_a_note_while_weights_grow_that_began_at_next_to_nothing(gain, at, severity):
    figures = healthy([replace(each, width=(100, 100)) for each in network()], 120)
    figures["weight_rms"][0] = (gain / 100) ** 0.5
    figures["weight_grad_rms"][at] *= 40
    figures["loss"][:at], figures["loss"][at:] = 2, 2.5
    finding = rules_and_words(figures)["gradient_spike"]
    assert finding.severity == severity
    assert ("grow with them" in finding.explanation) == (severity == "note")


@pytest.mark.parametrize("floor", [0.0, 0.9])
def test_a_spike_is_a_note_where_the_loss_is_near_the_lowest_that_smoothed_labels_allow(
    figures, floor
):
    figures["loss"][:5], figures["loss"][5:] = 3, 1
    figures["loss_floor"][::10] = floor
    figures["weight_grad_rms"][40] *= 100
    assert found(figures)["gradient_spike"][0] == ("note" if floor else "warning")


def test_a_spike_that_was_clipped_by_hand_shows_in_the_gradients_of_the_outputs(figures):
    figures["activation_grad_rms"][40] *= 30
    (spike,) = rules_and_words(figures).values()
    assert (spike.rule, spike.severity, spike.step) == ("gradient_spike", "note", 40)
    assert "clipped before it was measured" in spike.explanation


def test_a_converged_runs_spike_is_a_note_though_the_loss_of_its_batch_is_high(figures):
    figures["loss"][20:] = 0.03
    figures["loss"][40] = 2.0
    figures["loss"][41:46] = 0.05
    figures["weight_grad_rms"][40] *= 129
    assert found(figures)["gradient_spike"] == ("note", "00_tanh", 40, 6)
    figures["loss"][20:40], figures["loss"][41:] = 1.0, 0.5
    assert found(figures)["gradient_spike"] == ("warning", "00_tanh", 40, 6)


@pytest.mark.parametrize(
    ("later", "thrown", "severity"),
    [(0.05, 3, "note"), (0.05, 8, "note"), (0.5, 3, "warning"), (0.05, 9, "warning")],
)
def test_a_spike_of_a_network_that_finds_what_it_looked_for_is_a_note(later, thrown, severity):
    figures = healthy(network(), 80)
    figures["loss"][41], figures["loss"][42:] = thrown, later
    figures["weight_grad_rms"][40] *= 40
    assert found(figures)["gradient_spike"][0] == severity


@pytest.mark.parametrize("factor", [9, 11])
def test_a_spike_is_more_than_ten_times_the_median(figures, factor):
    figures["weight_grad_rms"][40] *= factor
    assert ("gradient_spike" in found(figures)) == (factor > 10)


def with_a_penalty_each(interval, times=40.0, scatter=1.5):
    """Whose size grows from step to step; the gradients between scatter evenly."""
    figures = healthy(network(), 80)
    rng = np.random.default_rng(0)
    figures["weight_grad_rms"][:] *= scatter ** rng.uniform(-1, 1, (80, 1))
    at = np.arange(80) % interval == 0
    figures["weight_grad_rms"][at] *= (times * np.linspace(1, 2, 80)[at])[:, np.newaxis]
    return figures


@pytest.mark.parametrize("interval", [4, 8, 12, 16, 19])
def test_gradients_that_are_large_at_regular_intervals_are_the_loops_own(interval):
    figures = with_a_penalty_each(interval)
    spike = rules_and_words(figures)["gradient_spike"]
    assert spike.severity == "note"
    assert "at regular intervals" in spike.explanation
    assert spike.remedy.startswith("change nothing if it is meant")


@pytest.mark.parametrize(("interval", "odd"), [(8, 61), (16, 70), (16, 64)])
def test_a_spike_beside_those_at_intervals_is_one(interval, odd):
    figures = with_a_penalty_each(interval)
    figures["weight_grad_rms"][odd] *= 500
    spike = rules_and_words(figures)["gradient_spike"]
    assert (spike.severity, spike.step) == ("warning", odd)
    assert "regular" not in spike.explanation


@pytest.mark.parametrize(
    "at", [[0, 2, 24], [11, 40], [0, 20], [7, 17, 30], [4, 17, 30], [17, 22, 30, 43]]
)
def test_other_large_gradients_make_no_interval(at):
    figures = healthy(network(), 80)
    figures["weight_grad_rms"][at] *= (30.0 + 10 * np.arange(len(at)))[:, np.newaxis]
    assert rules_and_words(figures)["gradient_spike"].severity == "warning"


@pytest.mark.parametrize(
    ("at", "severity"), [([18, 24, 42, 48, 54], "warning"), ([18, 24, 30, 36, 48, 54], "note")]
)
def test_most_of_the_steps_of_an_interval_have_large_gradients(at, severity):
    figures = healthy(network(), 80)
    figures["weight_grad_rms"][at] *= 13
    figures["weight_grad_rms"][60] *= 100
    assert rules_and_words(figures)["gradient_spike"].severity == severity


@pytest.mark.parametrize(("interval", "severity"), [(8, "note"), (99, "warning")])
def test_a_loss_that_is_higher_afterwards_is_no_harm_of_a_spike_that_comes_regularly(
    interval, severity
):
    figures = with_a_penalty_each(interval, times=15, scatter=1.0)
    figures["weight_grad_rms"][40] = 0.2
    figures["loss"][:5], figures["loss"][5:] = 3, 1
    figures["loss"][41:] = 1.6
    assert rules_and_words(figures)["gradient_spike"].severity == severity


@pytest.mark.parametrize("cut", [30, 33, 40, 57])
def test_an_interval_is_the_same_however_the_run_is_cut(cut):
    assert_found_alike(with_a_penalty_each(8), cut)


def test_the_larger_gradient_of_two_optimizers_that_take_turns_is_no_spike(figures):
    critic = np.arange(60) % 4 == 0
    for of_weights in (figures["weight_grad_rms"], figures["update_to_weight"]):
        of_weights[critic, :3], of_weights[~critic, 3:] = np.nan, np.nan
    figures["weight_grad_rms"][critic, 3:] *= 20
    assert "gradient_spike" not in found(figures)
    figures["weight_grad_rms"][40, 3:] *= 40
    assert found(figures)["gradient_spike"] == ("warning", "03_tanh", 40, 3)


def test_no_spike_before_the_warm_up(figures):
    figures["weight_grad_rms"][19] *= 1000
    assert found(figures) == {}


def test_a_run_whose_gradients_scatter_by_decades_has_no_spikes(figures):
    figures["weight_grad_rms"][:] *= 10.0 ** np.arange(60).repeat(6).reshape(60, 6) ** 0 * (
        10.0 ** ((np.arange(60) % 5) - 2)[:, np.newaxis]
    )
    figures["weight_grad_rms"][40] *= 10
    assert found(figures) == {}


def test_a_clipped_spike_is_a_note_and_that_of_a_short_batch_none(figures):
    figures["weight_grad_rms"][40] *= 30
    figures["clip_factor"][40] = 0.03
    assert found(figures)["gradient_spike"][0] == "note"
    assert rules_and_words(figures)["gradient_spike"].remedy.startswith("a look at the batch")
    figures["activation_count"][40] = 100
    assert found(figures) == {}


# updates


def test_updates_are_too_large_if_they_are_for_longer_than_a_warm_up(figures):
    figures["update_to_weight"][10:29, 1] = 0.2
    assert found(figures) == {}
    figures["update_to_weight"][29, 1] = 0.2
    assert found(figures) == {"update_too_large": ("warning", "01_tanh", 10, 1)}


def test_updates_are_too_large_if_the_loss_grows_meanwhile(figures):
    figures["update_to_weight"][10:16, 1] = 0.2
    figures["loss"][12:] = 7.0
    assert found(figures)["update_too_large"] == ("warning", "01_tanh", 10, 1)


@pytest.mark.parametrize(
    ("losses", "told"),
    [
        ([2.0, 6.0, 8.0, 4.6, 2.4], True),
        ([2.0, 6.0, 8.0, 4.6, 1.9], False),
        ([2.0, 5.0, 5.9, 4.6, 2.4], False),
        ([2.0, 2.0, 4.2, 4.3, 4.1], True),
        ([2.0, 2.0, 2.0, 2.0, 4.1], False),  # one loss of five
        ([2.0] * 5, False),
    ],
)
def test_first_steps_that_replace_the_weights_are_too_large_if_they_throw_the_loss_up(
    figures, losses, told
):
    figures["update_to_weight"][:5] = 0.5
    figures["loss"][:5] = losses
    assert ("update_too_large" in found(figures)) == told


PENALIZED = np.where(np.arange(60) % 8 == 0, 6.0, 1.0)
"""As by a penalty that is taken every eighth step (Karras et al. 2020, StyleGAN2, section 3.1)."""
IN_TURN = np.tile(np.linspace(8.0, 0.5, 8), 8)[:60]
"""As of tasks of eight steps each (Nichol et al. 2018, On First-Order Meta-Learning Algorithms)."""
RAISED = np.where(np.arange(60) < 42, 1.0, 2.5)


@pytest.mark.parametrize(
    ("losses", "first", "told"),
    [(PENALIZED, 2, False), (PENALIZED, 44, False), (IN_TURN, 4, False), (IN_TURN, 38, False),
     (RAISED, 38, True), (PENALIZED + 20 * (RAISED > 1), 38, True)],
)  # fmt: skip
def test_a_loss_that_is_high_by_itself_now_and_then_was_not_raised(figures, losses, first, told):
    figures["update_to_weight"][first : first + 15, 1] = 0.2
    figures["loss"][:] = losses
    assert ("update_too_large" in found(figures)) == told


@pytest.mark.parametrize(("size", "told"), [(1.0, True), (3.0, False)])
def test_a_loss_that_is_larger_because_its_targets_are_was_not_raised(figures, size, told):
    figures["update_to_weight"][28:43, 1] = 0.2
    figures["loss"][:30], figures["loss"][30:] = 1.0, 9.0
    figures["loss_kind"][::10], figures["output_rms"][::10] = Loss.SQUARED_ERROR, 0.1
    figures["target_rms"][:30:10], figures["target_rms"][30::10] = 1.0, size
    for name in ("target_min", "target_max"):
        figures[name][::10] = figures["target_rms"][::10]
    assert ("update_too_large" in found(figures)) == told


def test_a_step_that_no_number_can_hold_is_said_in_words(figures):
    figures["update_to_weight"][10:40, 1] = math.inf
    said = rules_and_words(figures)["update_too_large"].explanation
    assert "more than numbers of its type can hold" in said
    assert "inf" not in said


def test_weights_that_start_at_zero_have_no_size_to_compare_with(figures):
    figures["update_to_weight"][:, 1] = [math.nan, *(1 / n**0.5 for n in range(1, 60))]
    figures["weight_rms"][0, 1] = 0
    assert found(figures) == {}


@pytest.mark.parametrize(("size", "told"), [(1e-3, False), (0.5, True)])
def test_weights_that_start_next_to_zero_are_large_by_their_first_steps(size, told):
    """As those of a gate or a head that is to begin as nothing: a gain of 0.001."""
    layers = [replace(each, width=(100, 100)) for each in network()]
    figures = healthy(layers)
    figures["weight_rms"][0, 1] = size / 10
    figures["update_to_weight"][:, 1] = [math.nan, *(1 / n**0.5 for n in range(1, 60))]
    assert ("update_too_large" in found(figures)) == told


def test_a_function_behind_weights_of_nearly_zero_or_that_come_to_zero_is_idle():
    """Beside a coupling that begins as the identity: weights of 0 are meant, others are not."""
    layers = network()
    (before,) = (i for i, each in enumerate(layers) if each.order == layers[2].order - 1)
    for sizes in (1e-6, np.where(np.arange(60) < 5, 0.1, 0.0)):
        figures = healthy(layers)
        figures["weight_rms"][:, before] = sizes
        figures["activation_std"][:, 2] = 1e-3
        assert "idle" in found(figures)


def test_a_number_that_started_at_zero_and_leaps_at_each_step_has_steps_too_large():
    """Beside the strength of a noise, which may come back to 0 by steps of some tenths of it."""
    layers = [replace(each, width=None) for each in network()]
    figures = healthy(layers)
    figures["weight_rms"][0, 1] = 0
    figures["update_to_weight"][:, 1] = [math.nan, *[0.05] * 9, *[3.0] * 50]
    assert "update_too_large" in found(figures)


@pytest.mark.parametrize(("end", "told"), [(0.3, False), (9.0, True)])
def test_a_penalty_that_is_warmed_up_hides_no_loss_that_rises_beside_it(end, told):
    """As of a divergence beside a cross-entropy."""
    figures = healthy(network(), 160)
    penalty, rest = np.linspace(0.0, 2.0, 160), np.linspace(1.0, end, 160)
    figures["loss"][:] = rest + penalty
    figures["loss_kind"][::10], figures["outputs"][::10] = Loss.CROSS_ENTROPY, 8
    figures["loss_beside"][::10] = (penalty / (rest + penalty))[::10]
    assert ("loss_rising" in found(figures)) == told


@pytest.mark.parametrize(("end", "told"), [(0.9, False), (1.0, True)])
def test_a_penalty_that_is_warmed_up_hides_no_loss_that_stays_beside_it(end, told):
    figures = healthy(network(), 160)
    penalty, rest = np.linspace(0.0, 1.0, 160), np.linspace(1.0, end, 160)
    figures["loss"][:] = rest + penalty
    figures["loss_kind"][::10], figures["outputs"][::10] = Loss.CROSS_ENTROPY, 8
    figures["loss_reduction"][::10] = 1
    figures["loss_beside"][::10] = (penalty / (rest + penalty))[::10]
    assert ("loss_not_falling" in found(figures)) == told


@pytest.mark.parametrize("width", [None, (100, 100)])
def test_a_number_that_started_at_zero_may_come_back_to_it(width):
    """As the strength of a noise: a matrix has a usual size, and grows to it."""
    layers = [replace(each, width=width) for each in network()]
    figures = healthy(layers)
    figures["weight_rms"][0, 1] = 0
    figures["update_to_weight"][:, 1] = [math.nan, *[0.05] * 9, *[0.3] * 50]
    assert ("update_too_large" in found(figures)) == (width is not None)


def test_updates_are_too_small_only_if_they_never_were_larger(figures):
    figures["update_to_weight"][:, 3] = 1e-6
    assert found(figures) == {"update_too_small": ("warning", "03_tanh", 0, 1)}
    figures["rate_share"][::10] = 1.0
    figures["rate_share"][::10, 3] = 0.01
    assert found(figures) == {"update_too_small": ("note", "03_tanh", 0, 1)}
    figures["update_to_weight"][10, 3] = 1e-4
    assert found(figures) == {}


@pytest.mark.parametrize(
    ("small", "loss", "severity"),
    [
        (2, "falls", "note"),
        (2, "stays", "warning"),
        (3, "falls", "warning"),  # half of the layers
    ],
)
def test_a_few_layers_may_move_little_while_the_network_learns(small, loss, severity):
    figures = healthy(network(), steps=200)
    figures["update_to_weight"][:] = np.nan
    figures["update_to_weight"][::10] = 1e-3
    figures["update_to_weight"][::10, :small] = 6e-6
    if loss == "falls":
        figures["loss"][:] = np.linspace(3.0, 1.6, len(figures.steps))
    else:
        figures["loss"][:] = 3.0
    assert found(figures)["update_too_small"][0] == severity


@pytest.mark.parametrize(("owned", "told"), [(np.nan, True), (1, True), (0, False)])
def test_an_update_of_exactly_zero_is_called_no_small_one(figures, owned, told):
    figures["update_to_weight"][:] = 0
    figures["owned"][0] = owned  # as at a look
    words = rules_and_words(figures)
    assert ("update_too_small" in words) == told
    if told:
        assert "no step has changed the weights" in words["update_too_small"].explanation
        assert "times larger" not in words["update_too_small"].remedy


def test_a_rising_learning_rate_and_one_on_its_way_to_zero_are_not_judged(figures):
    figures["update_to_weight"][:] = 1e-7
    figures["learning_rate"][:] = np.linspace(0, 1e-3, 60)
    assert found(figures) == {}
    figures["learning_rate"][:] = 1e-5
    figures["learning_rate"][0] = 1e-3
    assert found(figures) == {}


def test_a_layer_that_gets_a_gradient_and_does_not_move_is_stalled(figures):
    figures["update_to_weight"][12:, 2] = 0.0
    assert found(figures) == {"stalled": ("warning", "02_tanh", 12, 1)}
    explanation = rules_and_words(figures)["stalled"].explanation
    assert "does not move: zero of what the median layer does" in explanation
    figures["weight_grad_rms"][:, 2] = np.nan  # frozen
    assert found(figures) == {}


def test_an_embedding_and_a_frozen_layer_may_stand_still():
    layers = (layer(0, None, module="Embedding"), layer(1, trainable=False), *network()[2:])
    figures = healthy(layers)
    figures["update_to_weight"][:, 0] = 1e-7
    figures["update_to_weight"][:, 1] = 0.0
    assert found(figures) == {}


# the start


@pytest.mark.parametrize(("loss", "warned"), [(4.94, False), (4.95, True)])  # 1.5 ln(27) = 4.944
def test_a_loss_above_that_of_guessing_is_overconfident(figures, loss, warned):
    figures["loss"][0] = loss
    expected = {"overconfident_start": ("warning", "05_linear", 0, 1)} if warned else {}
    assert found(figures, classes=27) == expected
    assert found(figures) == {}


@pytest.mark.parametrize(
    ("gain", "kind", "severity"),
    [
        (2.0, "matrix", "note"),
        (4.0, "matrix", "warning"),
        (4.0, "before a normalisation", "note"),
        (2.0, "of unknown fan-in", "warning"),
        (2.0, "a parameter of its own", "note"),
    ],
)
def test_a_loss_above_that_of_guessing_is_a_note_where_no_weights_are_large(gain, kind, severity):
    facts = [replace(each, width=(100, 100)) for each in network()]
    if kind == "before a normalisation":
        facts[3] = replace(facts[3], normalizes=True, weights=())
    elif kind == "of unknown fan-in":
        facts[2] = replace(facts[2], width=None)
    elif kind == "a parameter of its own":
        facts[2] = replace(facts[2], width=None, order=-1)
    figures = healthy(tuple(facts))
    figures["weight_rms"][0] = math.sqrt(2 / 100)
    figures["weight_rms"][0, 2] = math.sqrt(gain / 100)
    figures["loss"][0] = 2 * math.log(27)
    figures["output_rms"][0], figures["input_rms"][0] = 1.0, 1.0
    assert found(figures, classes=27)["overconfident_start"][:2] == (severity, "05_linear")
    figures["untrained"][0, 5] = 5  # a last layer that may be new behind others that are not
    assert ("overconfident_start" in found(figures, classes=27)) == (severity == "warning")
    figures["untrained"][0, 5] = 6  # it was trained, too
    assert "overconfident_start" not in found(figures, classes=27)


@pytest.mark.parametrize("order", [2, -1])  # of a module's, or a bare one
@pytest.mark.parametrize(
    ("size", "gain", "named"), [(9, 2.0, False), (11, 2.0, True), (11, 4.0, False)]
)
@pytest.mark.parametrize("of_targets", [False, True])
def test_a_large_scale_is_named_where_no_matrix_is_large(order, size, gain, named, of_targets):
    facts = [replace(each, width=(100, 100)) for each in network()]
    facts[2] = replace(facts[2], width=None, order=order)
    figures = healthy(tuple(facts))
    figures["weight_rms"][0] = math.sqrt(2 / 100)
    figures["weight_rms"][0, 2], figures["weight_rms"][0, 4] = size, math.sqrt(gain / 100)
    figures["loss"][0] = 200 * math.log(27)
    figures["output_rms"][0], figures["input_rms"][0] = 1.0, 1.0
    if of_targets:
        figures["loss_kind"][0], figures["target_rms"][0] = Loss.SQUARED_ERROR, 1.0
        figures["output_rms"][0] = 2000.0
    told = rules_and_words(figures, **({} if of_targets else {"classes": 27}))
    words = told["overconfident_start"].explanation
    assert (f"weights of {facts[2].name}, which" in words) == named
    assert ("as large as the targets" in words) == of_targets
    assert not named or "are of a usual size" not in words


def test_a_frozen_scale_is_not_named():
    facts = [replace(each, width=(100, 100)) for each in network()]
    facts[2] = replace(facts[2], width=None, trainable=False)
    figures = healthy(tuple(facts))
    figures["weight_rms"][0] = math.sqrt(2 / 100)
    figures["weight_rms"][0, 2], figures["loss"][0] = 100.0, 200 * math.log(27)
    figures["output_rms"][0], figures["input_rms"][0] = 1.0, 1.0
    words = rules_and_words(figures, classes=27)["overconfident_start"].explanation
    assert "which multiply" not in words


# not finite


def test_the_producer_is_named_and_not_those_who_passed_it_on(figures):
    figures["activation_nonfinite"][30:, 2:] = 7
    figures["inputs_finite"][30:, 3:] = 0
    figures["activation_grad_nonfinite"][30:] = 6400
    figures["weight_grad_nonfinite"][30:] = 100
    figures["activation_nonfinite"][31:] = 6400
    assert found(figures)["not_finite"] == ("critical", "02_tanh", 30, 1)


def test_elements_of_the_outputs_are_counted_where_gradients_are_not_finite_too(figures):
    figures["activation_nonfinite"][30:] = 7
    figures["weight_grad_nonfinite"][30:] = 6400
    assert rules_and_words(figures)["not_finite"].value == 7


@pytest.mark.parametrize(("step", "asks"), [(0, False), (30, True)])
def test_no_rate_is_at_fault_before_the_first_update(figures, step, asks):
    figures["activation_nonfinite"][step:, 2:] = 7
    figures["inputs_finite"][:] = 1
    assert ("optimizer.lr" in rules_and_words(figures)["not_finite"].remedy) == asks


def test_of_a_linear_module_and_its_function_the_functions_before_them_are_named(figures):
    figures["activation_nonfinite"][30:, 2:] = 7
    figures["inputs_finite"][:] = np.nan
    told = rules_and_words(figures)["not_finite"]
    assert "from finite inputs" not in told.explanation
    assert "torch.log" in told.remedy


def test_where_inputs_are_unknown_the_first_in_order_is_named():
    layers = tuple(reversed(network()))
    figures = healthy(layers)
    figures["inputs_finite"][:] = np.nan
    figures["activation_nonfinite"][30:, :4] = 7  # in order: from 02 on
    assert found(figures)["not_finite"][1] == "02_tanh"


def test_data_that_are_not_finite_are_said_to_be(figures):
    figures["activation_nonfinite"][30:] = 7
    figures["inputs_finite"][30:] = 0
    (finding,) = rules_and_words(figures).values()
    assert (finding.layer, finding.step) == ("00_tanh", 30)
    assert "neither were its inputs" in finding.explanation


def test_a_loss_that_is_not_finite_though_all_outputs_are(figures):
    figures["loss"][30:] = math.inf
    figures["activation_grad_nonfinite"][30:] = 6400
    (finding,) = rules_and_words(figures).values()
    assert (finding.rule, finding.layer, finding.step) == ("loss_not_finite", "loss", 30)
    assert "the loss is not finite" in finding.explanation


def test_a_loss_that_nobody_measures_is_no_disease(figures):
    figures["loss"][:] = math.nan
    assert found(figures) == {}


def test_on_the_way_back_the_producer_comes_after_the_last_layer_that_got_it(figures):
    figures["activation_grad_nonfinite"][30, :3] = 1
    figures["weight_grad_nonfinite"][30, :3] = 1
    assert found(figures)["not_finite"] == ("critical", "03_tanh", 30, 1)


@pytest.mark.parametrize(("of_weights", "severity"), [(0, "note"), (1, "critical")])
def test_gradients_that_no_weight_gets_are_a_note_and_counted_where_they_are(
    figures, of_weights, severity
):
    figures["activation_grad_nonfinite"][30, 2] = 7
    figures["activation_grad_nonfinite"][40, 3] = 5  # of that layer itself, later
    figures["weight_grad_nonfinite"][30, 2] = of_weights
    told = rules_and_words(figures)["not_finite"]
    assert (told.severity, told.layer, told.value) == (severity, "03_tanh", 7)


@pytest.mark.parametrize(
    ("function", "lowest", "highest", "words"),
    [
        ("softmax", 1e-38, 0.9, "some of these outputs are 0 or 1"),
        ("sigmoid", 0.1, 1.0, "some of these outputs are 0 or 1"),
        ("sigmoid", 1e-20, 0.9, "all are finite behind"),
        ("relu", 0.0, 1.0, "all are finite behind"),
    ],
)
def test_what_is_steep_at_the_ends_of_a_share_is_told_from_a_root(function, lowest, highest, words):
    layers = tuple(layer(i, function if i == 2 else "tanh") for i in range(6))
    figures = healthy(layers)
    figures["activation_min"][:, 2], figures["activation_max"][:, 2] = lowest, highest
    figures["activation_grad_nonfinite"][30, :3] = 4
    figures["weight_grad_nonfinite"][30, :3] = 1
    assert words in rules_and_words(figures)["not_finite"].explanation


def test_a_weight_gradient_alone(figures):
    figures["weight_grad_nonfinite"][30, 4] = 1
    assert found(figures)["not_finite"] == ("critical", "04_tanh", 30, 1)


def test_steps_that_a_scaler_skipped_are_neither_infinite_nor_exploding(figures):
    figures["skipped"][25:27] = 1
    for figure in ("activation_grad_nonfinite", "weight_grad_nonfinite"):
        figures[figure][25:27] = 6400
    for figure in ("activation_grad_rms", "weight_grad_rms"):
        figures[figure][25:27] = math.inf
    figures["update_to_weight"][25:27] = 0
    assert found(figures) == {}


# collapsed


def test_outputs_that_are_alike_from_one_layer_on_to_the_last_have_collapsed(figures):
    figures["unit_spread"][10:, 2:] = 0.009
    assert found(figures) == {"collapsed": ("warning", "02_tanh", 10, 4)}
    figures["unit_spread"][10:, 4] = 0.011  # what was lost in 02 and 03 is there again
    assert found(figures) == {"collapsed": ("note", "05_linear", 10, 1)}
    figures["unit_spread"][10:, 5] = 0.011
    assert found(figures) == {}


def test_one_sample_has_nothing_to_differ_from_and_zeros_have_not_collapsed(figures):
    figures["unit_spread"][:] = 0
    figures["activation_count"][:] = 100
    assert found(figures) == {}
    figures["activation_count"][:] = 6400
    figures["activation_min"][:] = figures["activation_max"][:] = 0
    assert found(figures) == {}


# steps of nothing


@pytest.mark.parametrize("reaches", [True, False])
def test_where_no_layer_has_a_gradient_it_is_told_whether_it_was_cleared_or_cut_off(
    figures, reaches
):
    figures["weight_grad_rms"][:] = np.nan
    figures["update_to_weight"][:] = 0
    figures["no_gradient"][::10] = 1
    if not reaches:
        figures["activation_grad_rms"][:] = np.nan
    found = rules_and_words(figures)["no_gradient"]
    assert (found.severity, found.layer, found.step, found.layers) == ("warning", "00_tanh", 0, 6)
    assert ("zero_grad" in found.remedy) == reaches


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        ("cut off", "warning"),
        ("beside", "note"),
        ("beside an embedding that is not called", "note"),
        ("of no optimizer", None),
        ("moved by hand", None),
        ("moved before", "warning"),
    ],
)
def test_a_layer_without_a_gradient_is_told_of_unless_it_is_meant_to_have_none(kind, severity):
    facts = [replace(each, fed=kind.startswith("beside")) for each in network()]
    if kind.endswith("called"):
        facts.append(LayerFacts("06_words", "words", "Embedding", weights=("weight",)))
    figures = healthy(tuple(facts))
    at_looks(figures, owned=1, no_gradient=0)
    figures["no_gradient"][30::10, [2, *range(6, len(facts))]] = 1
    figures["weight_grad_rms"][30:, [2, *range(6, len(facts))]] = np.nan
    if kind == "of no optimizer":
        figures["owned"][::10, 2] = 0
    moves = {"moved by hand": slice(35, None), "moved before": slice(0, 30)}.get(kind)
    if moves:
        figures["weight_rms"][moves, 2] += np.linspace(0.01, 0.02, 60)[moves]
    told = found(figures).get("no_gradient")
    assert told == (None if severity is None else (severity, "02_tanh", 30, 1))


def test_steps_of_a_loss_of_zero_do_not_end_what_a_layer_without_a_gradient_has(figures):
    figures["weight_grad_rms"][:, 2] = 0.0
    figures["activation_grad_rms"][:, 2] = 0.0
    figures["loss"][15] = 0.0
    assert found(figures)["no_gradient"] == ("warning", "02_tanh", 0, 1)


@pytest.mark.parametrize("share", [1 / 512, 1 / 100])
def test_a_group_whose_rate_is_far_below_the_others_is_named(figures, share):
    figures["rate_share"][::10] = 1.0
    figures["rate_share"][::10, 2] = share
    figures["update_to_weight"][:, 2] *= share
    found = rules_and_words(figures)
    assert ("stalled" in found) == (share < 0.005)
    if "stalled" in found:
        assert (found["stalled"].layer, found["stalled"].step) == ("02_tanh", 0)
        assert "parameter group" in found["stalled"].explanation


def test_of_slow_groups_the_one_that_moves_a_tenth_is_not_told_of_and_a_standing_layer_is(figures):
    figures["rate_share"][::10] = 1.0
    figures["rate_share"][::10, 1:3] = 1 / 512
    figures["update_to_weight"][:, 1] *= 0.11  # its weights are small in proportion
    figures["update_to_weight"][:, 2] *= 0.09
    found = rules_and_words(figures)["stalled"]
    assert (found.layer, found.severity, found.layers) == ("02_tanh", "warning", 1)
    assert found.value == pytest.approx(math.log10(0.09), abs=1e-3)
    figures["weight_grad_rms"][:, 2] *= 1e-7  # nor is it the gradient that fades, then
    assert "parameter group" in rules_and_words(figures)["stalled"].explanation
    figures["update_to_weight"][:, 2] = 1e-3
    figures["update_to_weight"][:, 4] = 1e-9
    assert rules_and_words(figures)["stalled"].layer == "04_tanh"


@pytest.mark.parametrize(("first", "words"), [(1e-3, "is down to"), (0.0, "never been more")])
def test_a_rate_of_zero_is_told_with_its_step(figures, first, words):
    figures["learning_rate"][:10] = first
    figures["learning_rate"][10:] = 0.0
    found = rules_and_words(figures)["learning_rate_gone"]
    assert (found.severity, found.step) == ("warning", 10 if first else 0)
    assert words in found.explanation


def test_a_rate_of_zero_of_the_first_group_alone_is_that_of_its_layers(figures):
    figures["learning_rate"][:] = 0.0
    figures["rate_share"][::10] = 1.0
    figures["rate_share"][::10, 2] = 0.0
    figures["update_to_weight"][:, 2] = 0.0
    found = rules_and_words(figures)
    assert "learning_rate_gone" not in found
    assert found["stalled"].layer == "02_tanh"


def test_a_rate_of_zero_at_the_end_of_a_training_that_has_learned_is_a_note():
    figures = healthy(network(), 100)
    figures["loss"][:] = np.linspace(2.0, 0.4, 100)
    figures["learning_rate"][:70], figures["learning_rate"][70:] = 1e-3, 0.0
    assert rules_and_words(figures)["learning_rate_gone"].severity == "note"


def test_weights_that_started_at_zero_and_grow_by_equal_steps_are_not_too_large_and_by_more_are(
    figures,
):
    figures["weight_rms"][0] = 0.0
    figures["update_to_weight"][:, 2:] = np.nan
    figures["update_to_weight"][0] = np.nan
    figures["update_to_weight"][1:, 0] = 1 / np.arange(1, 60)
    figures["update_to_weight"][1:, 1] = 1.5
    found = rules_and_words(figures)["update_too_large"]
    assert (found.severity, found.layer, found.layers) == ("critical", "01_tanh", 1)


@pytest.mark.parametrize("targets_grow", [False, True])
def test_what_was_learned_and_is_lost_again_is_told_unless_the_targets_have_grown(targets_grow):
    figures = healthy(network(), 120)
    figures["loss"][:] = np.r_[np.linspace(2, 0.5, 60), np.linspace(0.5, 1.8, 20), np.full(40, 1.8)]
    figures["target_rms"][:] = 1
    figures["target_rms"][75:] = 3 if targets_grow else 1
    found = rules_and_words(figures)
    assert ("loss_diverged" in found) != targets_grow
    if not targets_grow:
        assert "lost again" in found["loss_diverged"].explanation


@pytest.mark.parametrize(("entropy", "told"), [(1.6, True), (np.nan, False)])
def test_what_was_learned_counts_from_guessing_where_the_first_steps_threw_the_loss_up(
    entropy, told
):
    figures = healthy(network(), 120)
    figures["loss"][:] = np.r_[[1.6, *[8.0] * 4], np.full(55, 0.5), np.full(60, 1.2)]
    figures["update_to_weight"][:] = 1e-3
    at_looks(figures, label_entropy=entropy, target_rms=np.nan if told else 1.0)
    assert ("loss_diverged" in found(figures)) == told


@pytest.mark.parametrize("kind", [Loss.SQUARED_ERROR, Loss.UNKNOWN])
def test_targets_may_have_grown_since_a_loss_that_was_an_error_can_be_told_no_more(kind):
    """As a Huber loss of an agent's values, whose errors leave its square part."""
    figures = healthy(network(), 120)
    figures["loss"][:] = np.r_[np.linspace(2, 0.5, 60), np.linspace(0.5, 2.6, 20), np.full(40, 2.6)]
    figures["loss_kind"][:60:3], figures["target_rms"][:60:3] = Loss.SQUARED_ERROR, 1
    figures["loss_kind"][60::10] = kind
    assert ("loss_diverged" in found(figures)) == (kind != Loss.UNKNOWN)


@pytest.mark.parametrize(
    ("figure", "at", "value", "words"),
    [
        ("loss", 0, 0.0, "a mask that leaves all out"),
        ("samples", slice(0, None, 10), 1, "batches have one sample"),
        ("loss", 5, 1e-9, None),
        ("weight_grad_rms", (5, 1), 1e-12, None),
    ],
)
def test_a_loss_and_gradients_of_exactly_0_from_the_start_on_are_told(figure, at, value, words):
    figures = healthy(network(), 120)
    figures["loss"][:] = figures["weight_grad_rms"][:] = 0
    figures["activation_grad_rms"][:] = 0
    figures["samples"][::10] = 32
    figures[figure][at] = value
    said = rules_and_words(figures).get("loss_not_falling")
    assert (said is None) == (words is None)
    assert words is None or words in said.explanation + said.remedy


@pytest.mark.parametrize(("of_scores", "told"), [(1, False), (0, True)])
def test_a_loss_of_scores_may_start_near_0(of_scores, told):
    figures = healthy(network(), 60)
    figures["loss"][:] = np.r_[1e-4, np.linspace(0.05, 0.3, 59)]
    figures["loss_of_scores"][::10] = of_scores
    assert ("loss_diverged" in found(figures)) == told


@pytest.mark.parametrize(
    ("leap", "later", "told"), [(40, 1.1, True), (29, 1.1, False), (40, 0.9, False)]
)
def test_one_leap_throws_a_network_out_if_what_comes_after_is_not_below_the_start(
    leap, later, told
):
    figures = healthy(network(), 60)
    figures["loss"][:] = later
    figures["loss"][0], figures["loss"][7] = 1.0, leap
    found = rules_and_words(figures)
    assert ("loss_diverged" in found) == told
    if told:
        assert found["loss_diverged"].step == 7
        assert "jumped to 40 times" in found["loss_diverged"].explanation


@pytest.mark.parametrize(
    ("kind", "changed", "clips"), [("LSTM", 0, True), ("LSTM", 1, False), ("Tanh", 0, False)]
)
def test_what_leaves_all_bounds_through_a_recurrence_is_answered_with_clipping(
    kind, changed, clips
):
    layers = (*network()[:1], replace(network()[1], module=kind), *network()[2:])
    figures = healthy(layers)
    figures["loss"][10:] = 400.0
    figures["update_to_weight"][5:, 1] = 1.5
    figures["activation_nonfinite"][20:, 1] = 5
    figures["gradients_changed"][0] = changed
    found = rules_and_words(figures)
    for rule in ("loss_diverged", "update_too_large"):
        assert ("clip" in found[rule].remedy.removeprefix(AFTERWARDS)[:40]) == clips
    assert ("clip" in found["not_finite"].remedy) == (kind == "LSTM")


@pytest.mark.parametrize("lowest", [0.1, -0.1])
def test_a_loss_that_has_been_below_zero_is_not_measured_by_the_first(figures, lowest):
    figures["update_to_weight"][:] = 0.2
    figures["loss"][:] = np.where(np.arange(60) % 2, 1.0, lowest)
    figures["loss"][0] = 0.1
    assert ("loss_diverged" in rules_and_words(figures)) == (lowest > 0)


@pytest.mark.parametrize(("update", "told"), [(0.2, True), (1e-3, False)])
def test_leaps_are_measured_by_the_largest_loss_of_weights_as_they_were(figures, update, told):
    figures["update_to_weight"][:] = update
    figures["loss"][:] = np.where(np.arange(60) % 3 == 2, 2.5, 0.6)  # a rare class that weighs much
    found = rules_and_words(figures)
    assert ("loss_diverged" in found) == told
    if told:
        assert found["loss_diverged"].step == 2


def test_a_layer_that_moves_less_as_its_gradient_is_less_is_not_the_optimizers_doing():
    figures = healthy(network(), 120)
    figures["update_to_weight"][:, 2] = 1e-9
    assert "optimizer" in rules_and_words(figures)["stalled"].remedy
    figures["weight_grad_rms"][:, 2] *= 1e-6
    found = rules_and_words(figures)["stalled"]
    assert "hardly any gradient" in found.explanation
    assert "residual" in found.remedy


def test_a_recurrent_layer_whose_gradient_fades_is_to_be_read_nearer_to_its_inputs():
    layers = network()
    figures = healthy((*layers[:2], replace(layers[2], module="LSTM"), *layers[3:]), 120)
    figures["update_to_weight"][:, 2] = 1e-9
    figures["weight_grad_rms"][:, 2] *= 1e-6
    assert "padding" in rules_and_words(figures)["stalled"].remedy
    figures["unit_spread"][:, 2:] = 1e-7  # and what it was given is forgotten
    assert "padding" in rules_and_words(figures)["collapsed"].remedy


@pytest.mark.parametrize(
    ("first", "weight", "embedded", "data"),
    [
        (0.0, 1.0, None, True),
        (1e-6, 1.0, None, False),
        (0.0, 0.0, None, False),
        (0.0, 1.0, 0.0, True),
        (0.0, 1.0, 0.3, False),
    ],
)
def test_the_first_layer_is_the_same_to_the_last_bit_where_the_data_are(
    first, weight, embedded, data
):
    layers = [replace(each, bounds=None, nonlinearity="relu") for each in network()]
    if embedded is not None:
        layers[0] = replace(layers[0], module="Embedding", nonlinearity=None)
    figures = healthy(tuple(layers))
    figures["unit_spread"][:], figures["input_rms"][0] = first, 1.0
    figures["weight_rms"][:] = weight
    if embedded is not None:
        figures["unit_spread"][:, 0] = embedded
    remedy = rules_and_words(figures)["collapsed"].remedy
    assert ("batch of inputs" in remedy) == data
    assert ("tokens" in remedy) == (data and embedded is not None)


def test_a_rate_that_faded_early_is_the_cause_of_a_loss_that_does_not_fall():
    figures = healthy(network(), 200)
    figures["loss"][:] = 2.3
    figures["label_entropy"][::10] = 2.3
    figures["learning_rate"][:] = 0.1 * 0.9 ** np.arange(200)
    found = rules_and_words(figures)
    assert found["learning_rate_gone"].step == 44
    assert found["loss_not_falling"].because == "learning_rate_gone"


def test_large_inputs_are_divided_out_by_a_normalisation_behind_the_first_layer():
    layers = network()
    normalized = (layers[0], replace(layers[1], normalizes=True), *layers[2:])
    for of, told in ((layers, True), (normalized, False)):
        figures = healthy(of)
        figures["input_rms"][::10] = figures["input_largest"][::10] = 255.0
        assert ("input_scale" in rules_and_words(figures)) == told


@pytest.mark.parametrize(("spread", "told"), [(0.005, True), (0.5, False)])
def test_small_inputs_are_lost_where_a_normalisation_gets_a_bias_and_next_to_nothing_else(
    spread, told
):
    layers = network()
    figures = healthy((layers[0], replace(layers[1], normalizes=True), *layers[2:]))
    figures["input_rms"][::10] = figures["input_largest"][::10] = 1e-3
    figures["unit_spread"][::10, 5] = spread
    assert ("input_scale" in rules_and_words(figures)) == told


def test_parameters_that_nobody_has_are_told_after_ten_looks():
    figures = healthy(network(), 110)
    figures["unregistered"][:90:10] = figures["made_anew"][:90:10] = 0
    figures["unregistered"][:90:10] = 4
    assert "not_registered" not in rules_and_words(figures)
    figures["unregistered"][90] = 4
    assert rules_and_words(figures)["not_registered"].value == 4


def test_weights_of_a_loss_that_nobody_has_are_told_after_ten_looks():
    figures = healthy(network(), 110)
    figures["unregistered"][::10] = figures["made_anew"][::10] = 0
    figures["untrained_in_loss"][:90:10] = 2
    assert "not_registered" not in rules_and_words(figures)
    figures["untrained_in_loss"][90] = 2
    found = rules_and_words(figures)["not_registered"]
    assert found.value == 2
    assert "criterion" in found.remedy


@pytest.mark.parametrize("among", [False, True])
def test_what_pushes_all_outputs_one_way_is_broadcast_once_they_have_lain_among_targets(among):
    figures = healthy(network(), 110)
    figures["targets_broadcast"][::10] = 2
    figures["targets_broadcast"][0] = 1 if among else 0
    assert ("loss_broadcast" in found(figures)) == among


@pytest.mark.parametrize("moves", ["middle", "told", "neither"])
def test_targets_that_are_all_the_same_are_not_taken_for_broadcast_ones(moves):
    figures = healthy(network(), 110)
    figures["targets_broadcast"][::10] = 1
    middle, spread = np.ones(11), np.ones(11)
    if moves == "middle":  # batches differ
        middle, spread = middle + 0.1 * np.sin(np.arange(11)), spread + 0.01 * np.arange(11)
    if moves == "told":  # a loss with something added, that falls, against targets of 1
        spread = spread - 0.01 * np.arange(11)
    figures["target_min"][::10], figures["target_max"][::10] = middle - spread, middle + spread
    assert ("loss_broadcast" in rules_and_words(figures)) == (moves != "told")


def test_a_task_that_is_solved_needs_no_gradient():
    for level, told in ((1e-6, False), (1.0, True)):
        figures = healthy(network())
        figures["loss"][:] = np.where(np.arange(60) < 10, 1.0, level)
        figures["weight_grad_rms"][10:, 1] = figures["activation_grad_rms"][10:, 1] = 0
        assert ("no_gradient" in rules_and_words(figures)) == told


@pytest.mark.parametrize(("samples", "told"), [(2, False), (64, True)])
def test_a_loss_of_few_samples_leaps_and_has_not_diverged(samples, told):
    figures = healthy(network(), 120)
    figures["loss"][:] = np.random.default_rng(0).chisquare(2, 120)
    figures["loss"][0] = 0.3
    figures["samples"][::10] = samples
    assert ("loss_diverged" in rules_and_words(figures)) == told
    figures["loss"][40:] = 1.3 ** np.arange(80)
    assert "loss_diverged" in rules_and_words(figures)


@pytest.mark.parametrize(("grown", "told"), [(1.2, True), (1.6, False)])
def test_an_error_whose_targets_grow_is_not_said_not_to_fall(grown, told):
    figures = healthy(network(), 120)
    figures["loss"][:] = 1.0
    figures["target_rms"][::10] = np.r_[1, np.full(11, grown)]
    assert ("loss_not_falling" in rules_and_words(figures)) == told


def test_features_that_hardly_vary_are_a_note():
    for spread, told in ((0.001, "note"), (0.1, None)):
        figures = healthy(network())
        at_looks(figures, input_rms=1.0, input_largest=1.0, input_feature_spread=spread)
        finding = rules_and_words(figures).get("input_scale")
        assert (finding and finding.severity) == told


def of_a_sigmoid(before, rows_one=0.0, ones=0.5, outputs=1):
    """Figures of a binary cross-entropy on a sigmoid that stands by itself behind a function."""
    layers = (layer(0, "relu"), layer(1, before), layer(2, "sigmoid", 3, weights=(), can_die=False))
    figures = healthy(layers)
    figures["loss_kind"][::10] = 5
    figures["target_min"][::10], figures["target_max"][::10] = 0, 1
    figures["target_std"][::10], figures["target_rms"][::10] = 0.5, math.sqrt(ones)
    figures["output_rows_one"][::10], figures["outputs"][::10] = rows_one, outputs
    return rules_and_words(figures).get("target_out_of_range")


@pytest.mark.parametrize(
    ("about", "told"),
    [
        # Beyond by so much of the targets' deviation: smoothed labels are within.
        ({"output_function": LastFunction.TANH, "target_max": 1.012}, True),  # 0.06 of 0.2
        ({"output_function": LastFunction.TANH, "target_max": 1.008}, False),  # 0.04
        ({"output_function": LastFunction.TANH, "target_min": -1.012}, True),
        ({"output_function": LastFunction.TANH, "target_min": -1.008}, False),
        ({"output_rows_one": 1, "outputs": 3, "target_sum": 0.06}, True),
        ({"output_rows_one": 1, "outputs": 3, "target_sum": 0.04}, False),
        # What a normalisation leaves, of the targets' variance: ((1 - s) / s) ** 2.
        (
            {"output_function": LastFunction.NORMALIZED, "target_rms": 0.65, "target_std": 0.65},
            True,
        ),
        (
            {"output_function": LastFunction.NORMALIZED, "target_rms": 0.68, "target_std": 0.68},
            False,
        ),
        # Of a percentage error's gradient, what comes from targets of about 0.
        ({"loss_kind": Loss.PERCENTAGE_ERROR, "target_zeros": 0.92}, True),
        ({"loss_kind": Loss.PERCENTAGE_ERROR, "target_zeros": 0.88}, False),
    ],
)
def test_targets_are_out_of_range_by_more_than_rounding_smoothing_and_chance(figures, about, told):
    looked = {"loss_kind": Loss.SQUARED_ERROR, "target_min": -0.5, "target_max": 0.5}
    for name, value in (looked | {"target_std": 0.2, "target_rms": 0.3} | about).items():
        figures[name][::10] = value
    assert ("target_out_of_range" in found(figures)) == told


def test_a_function_before_the_last_sigmoid_leaves_it_a_part_of_its_range():
    assert "another function stands before" in of_a_sigmoid("relu").explanation
    assert of_a_sigmoid("relu").value == pytest.approx(1.0)  # 0.5 of a deviation of 0.5
    assert of_a_sigmoid(None) is None


@pytest.mark.parametrize(("of_targets", "told"), [(0.3, True), (1e-3, False)])
def test_a_regression_of_several_numbers_is_no_matter_for_a_softmax(figures, of_targets, told):
    looked = {"loss_kind": 6, "output_rows_one": 1, "outputs": 2, "target_sum": of_targets}
    looked |= {"target_min": 0, "target_max": 1, "target_std": 0.2, "target_rms": 0.5}
    for name, value in looked.items():
        figures[name][::10] = value
    assert ("target_out_of_range" in found(figures)) == told


@pytest.mark.parametrize(("most", "severity"), [(1.1, "note"), (1.2, "warning"), (1.01, None)])
def test_targets_that_noise_has_taken_beyond_the_functions_range_are_a_note(most, severity):
    figures = healthy(network(), 120)
    looked = {"loss_kind": 6, "output_function": LastFunction.SIGMOID, "outputs": 4}
    looked |= {"target_min": 0, "target_max": most, "target_std": 0.7, "target_rms": 0.9}
    for name, value in looked.items():
        figures[name][::10] = value
    told = rules_and_words(figures).get("target_out_of_range")
    assert (told and told.severity) == severity


def test_an_error_that_slopes_fit_in_some_looks_only_has_no_targets_out_of_range():
    figures = healthy(network(), 120)
    looked = {"loss_kind": 6, "output_function": LastFunction.SIGMOID, "outputs": 4}
    looked |= {"target_min": -1, "target_max": 1, "target_std": 0.3, "target_rms": 0.3}
    for name, value in looked.items():
        figures[name][::10] = value
    assert "target_out_of_range" in found(figures)
    figures["loss_kind"][1::10] = figures["loss_kind"][2::10] = Loss.UNKNOWN
    assert "target_out_of_range" not in found(figures)


@pytest.mark.parametrize(
    ("rms", "std", "told"), [(1.0, 1.0, False), (4.2, 3.0, True), (0.1, 0.1, True)]
)
def test_a_normalisation_without_weights_gives_no_targets_but_standardised_ones(
    figures, rms, std, told
):
    looked = {"loss_kind": 6, "output_function": LastFunction.NORMALIZED, "target_min": -20}
    for name, value in (looked | {"target_max": 20, "target_std": std, "target_rms": rms}).items():
        figures[name][::10] = value
    said = rules_and_words(figures).get("target_out_of_range")
    assert (said is not None) == told
    assert not told or "no normalisation after the last layer" in said.remedy


def test_targets_beyond_the_state_of_a_recurrent_layer_want_a_linear_one_after_it(figures):
    looked = {"loss_kind": 6, "output_function": LastFunction.RECURRENT, "target_min": -3}
    for name, value in (looked | {"target_max": 3, "target_std": 1, "target_rms": 1}).items():
        figures[name][::10] = value
    assert "linear layer after" in rules_and_words(figures)["target_out_of_range"].remedy


def test_outputs_that_add_up_to_one_do_not_reach_several_labels():
    assert "add up to 1" in of_a_sigmoid(None, 1.0, 0.5, 5).explanation
    assert of_a_sigmoid(None, 1.0, 0.2, 5) is None  # one label a sample


def test_a_sequence_over_the_batch_is_critical_at_once():
    for axis, word in ((1, "first axis"), (2, "second axis"), (3, "positions are encoded")):
        figures = healthy(network())
        figures["along_batch"][0] = axis
        finding = rules_and_words(figures)["sequence_over_batch"]
        assert finding.severity == "critical"
        assert word in finding.explanation


def test_a_gradient_that_was_larger_before_is_no_warning_at_once():
    for start, severity in ((1e-2, "warning"), (1.0, "note")):
        figures = healthy(network())
        figures["loss"][:] = 1.0
        figures["weight_grad_rms"][0] = start
        figures["weight_grad_rms"][40] = 0.5
        assert rules_and_words(figures)["gradient_spike"].severity == severity


# mild signs


def test_a_faded_gradient_is_a_note_while_the_first_layer_moves_as_others_do_and_the_loss_falls():
    figures = healthy(network(), 120)
    profile(figures, [0.02, 0.1, 0.3, 0.6, 1])
    assert found(figures)["vanishing_gradient"][0] == "warning"  # the loss stays where it was
    figures["loss"][:] = np.linspace(3, 2, 120)
    assert found(figures)["vanishing_gradient"][0] == "note"
    figures["update_to_weight"][:, 0] = 1.5e-4  # a seventh of what the others do
    assert found(figures)["vanishing_gradient"][0] == "warning"
    figures["update_to_weight"][:] *= 10
    assert found(figures)["vanishing_gradient"][0] == "note"


def test_a_faded_gradient_is_told_from_the_step_where_it_began_and_not_where_it_became_a_trouble():
    figures = healthy(network(), 120)  # which waits for 80 steps, for the first layer does move
    figures["loss"][:] = 1.4
    profile(figures, [0.02, 0.1, 0.3, 0.6, 1], slice(30, None))
    figures["label_entropy"][:], figures["loss_kind"][:] = 1.4, 1
    figures["update_to_weight"][:] = 5e-3
    for block in (1, 7, 120):
        judge = Judge(figures.layers)
        for first in range(0, 120, block):
            judge.look(figures.of_rows(slice(first, first + block)))
        told = {finding.rule: finding for finding in judge.findings}["vanishing_gradient"]
        assert (told.severity, told.step) == ("warning", 30)
        remedy = told.remedy.removeprefix(AFTERWARDS)
        assert remedy.startswith("optimizer.lr")  # no weights of the start
    profile(figures, [1.0, 1, 1, 1, 1], slice(50, 60))
    assert found(figures)["vanishing_gradient"][:3] == ("warning", "01_tanh", 60)
    profile(figures, [0.02, 0.1, 0.3, 0.6, 1])
    assert rules_and_words(figures)["vanishing_gradient"].remedy.startswith("nn.init")


def test_a_faded_gradient_behind_weights_that_begin_at_0_is_a_note_and_without_such_a_warning():
    """As in a flow, whose couplings begin as the identity; all weights of 0 are another fault."""
    for sizes, severity in (((1, 0), "note"), ((1, 1e-3), "warning"), ((0, 0), "warning")):
        figures = healthy(network())
        profile(figures, [0.02, 0.1, 0.3, 0.6, 1], slice(1, None))
        profile(figures, [0, 0, 0, 0.6, 1], slice(0, 1))
        figures["update_to_weight"][:, 0] = 1e-5
        figures["weight_rms"][0, :3] = [sizes[0], sizes[0], sizes[1]]
        assert found(figures)["vanishing_gradient"][0] == severity
        profile(figures, [1e-6, 1e-5, 0.3, 0.6, 1], slice(1, None))
        worse = "note" if severity == "note" else "critical"
        assert found(figures)["vanishing_gradient"][0] == worse


def test_a_gradient_that_fades_once_the_loss_is_down_to_half_is_a_note():
    figures = healthy(network(), 60)
    profile(figures, [0.02, 0.1, 0.3, 0.6, 1], slice(20, None))
    figures["update_to_weight"][:, 0] = 1e-5
    assert found(figures)["vanishing_gradient"][0] == "warning"
    figures["loss"][15:] = 1.0
    assert found(figures)["vanishing_gradient"][0] == "note"


@pytest.mark.parametrize(
    ("later", "thrown", "begun"), [(2.9, 3, 0), (1.0, 3, 0), (1.0, 5, 0), (1.0, 3, 10)]
)
@pytest.mark.parametrize("rule", ["collapsed", "update_too_large"])
def test_what_was_no_hindrance_is_a_note_once_the_loss_is_down_to_half(rule, later, thrown, begun):
    figures = healthy(network(), 60)
    if rule == "collapsed":
        figures["unit_spread"][begun:20] = 0.005
    else:
        figures["update_to_weight"][begun : begun + 25, 1] = 0.2
    figures["loss"][:30], figures["loss"][30:], figures["loss"][8] = 3.0, later, thrown
    assert found(figures)[rule][0] == (
        "note" if (later, thrown, begun) == (1.0, 3, 0) else "warning"
    )


@pytest.mark.parametrize(
    ("begun", "later", "thrown", "severity"),
    [
        *((10, 2.0, 3, "note"), (0, 2.0, 3, "critical"), (10, 2.9, 3, "critical")),
        (10, 2.0, 5, "critical"),
    ],
)
def test_functions_that_fill_while_the_loss_falls_on_are_a_note(begun, later, thrown, severity):
    figures = healthy(network(), 60)
    figures["saturated"][begun:, 1] = 0.6
    figures["loss"][:30], figures["loss"][30:], figures["loss"][8] = 3.0, later, thrown
    assert found(figures)["saturated"][0] == severity


@pytest.mark.parametrize(
    ("sizes", "told"),
    [((1, 1), True), ((0.9, 0.95), False), ((1.001, 0.999), True), ((0, 1), True)],
)
def test_functions_are_full_from_the_start_on_in_a_network_that_was_trained_before(sizes, told):
    norms = [replace(network()[0], name=f"0{k}_norm", module="LayerNorm") for k in (7, 8)]
    figures = healthy((*network(), *norms))
    figures["saturated"][:, 1], figures["weight_rms"][:, -2:] = 0.6, sizes
    assert (found(figures)["saturated"][0] != "note") == told


THE_FIRST_TWO = [1, 1, *[np.nan] * 4]


def looks_at_labels(kinds, labels, samples=100, seen=1, **others):
    figures = healthy(network(), 60)
    figures["loss_kind"][::10], figures["samples"][:] = kinds, samples
    known = np.broadcast_to(kinds, 6) != Loss.UNKNOWN
    figures["labels_seen"][::10] = np.where(known, seen, np.nan)
    figures["label"][::10] = np.where(known, labels, np.nan)
    for name, value in others.items():
        figures[name][:] = value
    return rules_and_words(figures).get("one_class")


def test_one_class_takes_three_looks_and_none_at_a_loss_that_cannot_be_told():
    assert looks_at_labels(1, 0)
    assert not looks_at_labels([1, 0, 1, 1, 1, 1], 0)  # its other class is weighted, say
    assert looks_at_labels([1, 1, 1, 0, 0, 0], 0)  # by then it is certain
    assert looks_at_labels([1, 1, 1, 1, 0, 1], 0).last_step == 50
    assert not looks_at_labels(1, [1, 0, 1, 0, 1, 0])  # a discriminator's passes
    assert not looks_at_labels(1, 0, samples=40)  # another may well be one in a hundred
    assert not looks_at_labels(1, 0, samples=400, seen=THE_FIRST_TWO)
    assert not looks_at_labels(1, 0, seen=2)
    assert not looks_at_labels(1, 0, optimizers=2)


def looks_at_targets(low, high, samples=100, kind=6, **others):
    figures = healthy(network(), 60)
    for name in others.keys() - {"apart"}:
        figures[name][:] = others[name]
    figures["loss_kind"][::10], figures["samples"][:] = kind, samples
    figures["output_alone"][::10] = others.get("output_alone", 1)
    figures["output_rms"][::10], figures["target_min"][::10] = 1, low
    figures["target_max"][::10] = high
    figures["outputs"][:] = others.get("outputs", 1)
    lows, highs = figures["target_min"][::10], figures["target_max"][::10]
    apart = np.fmax.accumulate(highs) - np.fmin.accumulate(lows)
    figures["targets_apart"][::10] = np.where(np.isnan(lows), np.nan, others.get("apart", apart))
    return rules_and_words(figures).get("one_class")


def test_targets_of_an_error_that_are_one_number_are_told():
    assert "the same number" in looks_at_targets(0, 1e-6).explanation
    assert looks_at_targets(3, 3).severity == "warning"
    assert "the same number" in looks_at_targets(1, 1.3, apart=0).explanation  # of a Huber loss
    assert looks_at_targets(0, [0, 0, 0, 0, 0, 0.1]).severity == "warning"  # it was certain by then
    for told in ((0, 2e-5), ([0, 1, 0, 1, 0, 1], [0, 1, 0, 1, 0, 1]), (0, 0, 40), (0, 0, 100, 7)):
        assert looks_at_targets(*told) is None
    for told in ({"output_alone": 0}, {"targets_broadcast": 1}, {"optimizers": 2}):
        assert looks_at_targets(3, 3, **told) is None
    assert looks_at_targets(THE_FIRST_TWO, THE_FIRST_TWO, samples=400) is None
    assert looks_at_targets([np.nan, *[3] * 5], 3) is not None


@pytest.mark.parametrize(
    ("far", "rms", "severity", "words"),
    [
        (5.1, 1.0, "warning", "exactly -999, which is 5.1 times"),
        (5.1, 1e3, "warning", "exactly -999, which is 5.1 times"),  # which makes it large
        (4.9, 1.0, "note", "in column 3 of the inputs"),
        (4.9, 1e3, "warning", "root mean square"),
        (0.0, 1.0, None, None),
    ],
)
def test_a_value_far_from_all_others_of_its_column_is_told_of(far, rms, severity, words):
    figures = healthy(network(), 40)
    for name, value in {"": far, "_column": 3, "_value": -999}.items():
        figures[f"input_far{name}"][::10] = value
    figures["input_rms"][::10] = rms
    told = rules_and_words(figures).get("input_scale")
    assert (told and told.severity) == severity
    assert words is None or words in told.explanation


def test_inputs_that_were_scaled_batch_by_batch_are_told_whatever_else_is_uneven():
    for code in (1, 2):
        figures = healthy(network(), 40)
        at_looks(figures, input_rms=1, input_by_batch=code, input_feature_ratio=1e4)
        assert "scaled by its own numbers" in rules_and_words(figures)["input_scale"].explanation
    figures["input_by_batch"][::10] = 0
    assert "drowns" in rules_and_words(figures)["input_scale"].explanation


def test_targets_that_are_the_same_in_all_samples_are_told_output_by_output():
    several = {"apart": 0, "outputs": 3, "loss_reduction": 1}
    assert "output by output" in looks_at_targets(1, 2, **several).explanation
    assert "output by output" in looks_at_targets(0, 1, kind=4, **several).explanation
    assert "the same number" in looks_at_targets(1, 1, kind=4, **several).explanation
    assert looks_at_targets(1, 2, **several | {"apart": 1e-4}) is None
    assert looks_at_targets(1, 2, **several | {"loss_reduction": 3}) is None  # to a centre
    assert looks_at_targets(0, 1, kind=4, **several | {"outputs": 1}) is None  # see `label`


def test_a_column_that_is_the_target_is_told_apart_from_targets_that_are_the_input():
    for column, same, words in ((2, 0, "a column"), (2, np.nan, "a column"), (2, 1, "own inputs")):
        figures = healthy(network(), 100)
        figures["target_column"][::10], figures["targets_are_inputs"][::10] = column, same
        assert words in rules_and_words(figures)["target_is_input"].explanation
    figures["target_column"][::10], figures["targets_are_inputs"][::10] = -1, 0
    assert "target_is_input" not in rules_and_words(figures)


def test_targets_of_a_cross_entropy_that_are_no_probabilities_are_told_of_one_pass():
    for code, words in ((1, "some are negative"), (2, "do not add up to 1")):
        figures = healthy(network(), 40)
        figures["targets_no_shares"][::10], figures["loss_kind"][::10] = code, 0
        assert words in rules_and_words(figures)["target_out_of_range"].explanation
        figures["passes"][::10] = 2  # a loss that is told may be another than the one of all
        assert "target_out_of_range" not in rules_and_words(figures)
    figures["targets_no_shares"][::10], figures["passes"][::10] = 0, 1
    assert "target_out_of_range" not in rules_and_words(figures)


def test_outputs_that_grow_in_a_recurrence_drown_the_targets_of_a_squared_error():
    layers = tuple(replace(facts, width=(50, 50)) for facts in network())
    figures = healthy(layers)
    figures["weight_rms"][:] = 0.2  # Kaiming's
    figures["loss_kind"][0], figures["output_rms"][0], figures["input_rms"][0] = 6, 3e6, 1.0
    found = rules_and_words(figures)["overconfident_start"]
    assert found.severity == "warning"
    assert "recurrence" in found.remedy
    figures["output_rms"][0], figures["target_rms"][0] = 200.0, 1.0
    assert rules_and_words(figures)["overconfident_start"].severity == "note"


def test_the_last_layer_that_gives_the_same_to_the_last_bit_has_learned_no_mean(figures):
    figures["unit_spread"][:, 5], figures["input_rms"][0] = 1e-3, 1.0
    assert rules_and_words(figures)["collapsed"].severity == "note"
    figures["unit_spread"][:, 5] = 0.0
    found = rules_and_words(figures)["collapsed"]
    assert found.severity == "warning"
    assert "so its inputs must be" in found.explanation


@pytest.mark.parametrize(("values", "spiked", "told"), [(2, 1, True), (2, 0, False), (3, 1, False)])
def test_a_batch_norm_of_two_values_is_the_cause_of_gradients_that_leap(values, spiked, told):
    layers = network("relu")
    aside = replace(layers[1], by_batch=True, on_trunk=False)
    figures = healthy((layers[0], aside, *layers[2:]))
    figures["activation_count"][:] = 100 * values
    if spiked:
        figures["activation_grad_rms"][40, :] *= 100
        figures["weight_grad_rms"][40, :] *= 100
    severe = {rule: f for rule, f in rules_and_words(figures).items() if f.severity != "note"}
    assert ("norm_of_few" in severe) == told
    if told:
        assert severe["gradient_spike"].because == "norm_of_few"
    figures["evaluation_share"][::10] = 1.0
    assert "norm_of_few" not in rules_and_words(figures)


@pytest.mark.parametrize(("on_trunk", "severity"), [(True, "warning"), (False, "note")])
def test_a_batch_norm_of_two_values_that_all_paths_pass_is_a_warning(on_trunk, severity):
    layers = network("relu")
    figures = healthy(
        (layers[0], replace(layers[1], by_batch=True, on_trunk=on_trunk), *layers[2:])
    )
    figures["activation_count"][:] = 200
    assert found(figures)["norm_of_few"][0] == severity


@pytest.mark.parametrize(
    ("together", "told"), [(1, "nothing of it is left"), (2, "1 and -1"), (3, None)]
)
def test_a_layer_norm_of_one_number_leaves_nothing_and_of_two_which_is_the_larger(together, told):
    layers = network("relu")
    norm = replace(layers[1], normalizes=True, together=together)
    figures = healthy((layers[0], norm, *layers[2:]))
    said = rules_and_words(figures).get("norm_of_few")
    assert (said and said.severity) == (told and "warning")
    if told:
        assert told in said.explanation


@pytest.mark.parametrize(
    ("few_by", "remedy"), [("", "no norm"), ("1 (GroupNorm)", "1 (GroupNorm): ")]
)
def test_a_normalisation_of_one_value_that_is_no_layer_is_told_of_the_layer_behind_it(
    few_by, remedy
):
    layers = network("relu")
    figures = healthy((layers[0], replace(layers[1], gets_few=1, few_by=few_by), *layers[2:]))
    said = rules_and_words(figures)["norm_of_few"]
    assert said.layer == layers[1].name
    assert said.explanation.startswith(f"what {layers[1].name} gets")
    assert said.remedy.startswith(remedy)


def test_a_normalisation_that_gives_the_same_to_all_did_not_get_the_same():
    figures = healthy(tuple(replace(each, normalizes=i == 5) for i, each in enumerate(network())))
    figures["unit_spread"][:, 5] = 0.0
    assert "so its inputs must be" not in rules_and_words(figures)["collapsed"].explanation


@pytest.mark.parametrize(("rms", "severity"), [(0.2, "note"), (1.0, "warning")])
def test_a_start_that_weights_of_a_usual_size_make_overconfident_is_a_note(rms, severity):
    layers = tuple(replace(facts, width=(50, 50)) for facts in network())  # Kaiming's: 0.2
    figures = healthy(layers)
    figures["weight_rms"][:] = rms
    figures["loss"][0] = 10
    assert found(figures, classes=27)["overconfident_start"][0] == severity


@pytest.mark.parametrize(("rms", "words"), [(1.0, "embedding.weight"), (0.02, "biases of 0")])
def test_a_last_layer_that_shares_an_embeddings_weights_has_them_too_large(rms, words):
    first, *others, last = (replace(facts, width=(50, 50)) for facts in network())
    layers = (replace(first, module="Embedding"), *others, replace(last, weights=()))
    figures = healthy(layers)
    figures["weight_rms"][:, 1:-1], figures["weight_rms"][:, -1] = 0.2, np.nan
    figures["weight_rms"][:, 0] = rms
    figures["loss"][0], figures["input_rms"][0], figures["output_rms"][0] = 60, 1, 40
    assert words in rules_and_words(figures, classes=27)["overconfident_start"].remedy


@pytest.mark.parametrize("attends", [False, True])
def test_a_plateau_of_a_network_with_attention_is_waited_for(attends):
    figures = healthy(network(), 400)
    figures["loss"][:] = 3 + np.random.default_rng(0).normal(0, 0.01, 400)
    figures["attention_entropy"][::10, 2] = 0.9 if attends else math.nan
    assert found(part_until(figures, 300)).keys() == (set() if attends else {"loss_not_falling"})
    assert found(figures).keys() == {"loss_not_falling"}


@pytest.mark.parametrize(("spread", "told"), [(0.4, True), (1.0, False)])
def test_a_fall_that_would_not_be_seen_among_batches_that_differ_so_much_is_not_denied(
    spread, told
):
    figures = healthy(network(), 200)
    figures["loss"][:] = 3 + spread * np.where(np.arange(200) % 2, 1, -1)
    figures["loss_kind"][::10], figures["loss_reduction"][::10] = Loss.SQUARED_ERROR, 1
    assert ("loss_not_falling" in found(figures)) == told
    figures["update_to_weight"][:] = 1e-5  # such steps need no fall to be seen
    assert "loss_not_falling" in found(figures)


def test_a_task_that_was_solved_before_has_a_loss_of_no_measure_for_divergence():
    figures = healthy(network(), 60)
    figures["update_to_weight"][:] = 0.2
    figures["loss"][:] = np.where(np.arange(60) % 3, 0.02, 0.001)
    assert "loss_diverged" in found(figures)
    figures["label_entropy"][::10] = 1.4
    assert "loss_diverged" not in found(figures)


@pytest.mark.parametrize(
    ("level", "others", "told"), [(4.0, 1, True), (3.5, 1, False), (4.0, 2, False)]
)
def test_a_squared_error_as_large_as_its_targets_variance_says_nothing_of_the_inputs(
    level, others, told
):
    figures = healthy(network(), 240)
    for each in range(others):  # looks that no error fits, between those that one does
        figures["loss_kind"][5 + each :: 10] = Loss.UNKNOWN
    figures["update_to_weight"][:] *= 2
    figures["loss"][:] = level + np.random.default_rng(0).normal(0, 0.01, 240)
    figures["loss"][:40] += 1
    at_looks(figures, loss_kind=6, loss_reduction=1, target_std=2)
    assert ("labels_without_signal" in found(figures)) == told


@pytest.mark.parametrize(
    ("fraction", "least", "largest", "told"),
    [(0, 0, 29, True), (0.3, 0, 29, False), (0, 0, 1, False), (0, -3, 29, False)],
)
@pytest.mark.parametrize("rule", ["labels_without_signal", "target_scale"])
def test_targets_that_are_whole_numbers_may_name_classes(rule, fraction, least, largest, told):
    figures = healthy(network(), 240)
    figures["update_to_weight"][:] *= 2
    figures["loss"][:] = 64.0 + np.random.default_rng(0).normal(0, 0.01, 240)
    figures["loss"][:40] += 1
    looked = {"loss_kind": 6, "loss_reduction": 1, "target_std": 8, "target_rms": 2000}
    looked |= {"target_fraction": fraction, "target_min": least, "target_max": largest}
    for name, value in looked.items():
        figures[name][::10] = value
    assert ("if these numbers name classes" in rules_and_words(figures)[rule].remedy) == told


@pytest.mark.parametrize(
    ("level", "fraction", "told"), [(30.0, 0, True), (9.0, 0, False), (30.0, 0.3, False)]
)
def test_small_whole_numbers_that_are_not_learned_well_may_name_classes(level, fraction, told):
    figures = healthy(network(), 240)
    figures["loss"][:] = np.r_[np.linspace(70, level, 100), np.full(140, level)]
    looked = {"loss_kind": 6, "loss_reduction": 1, "target_std": 8, "target_rms": 9}
    looked |= {"target_fraction": fraction, "target_min": 0, "target_max": 9}
    for name, value in looked.items():
        figures[name][::10] = value
    finding = rules_and_words(figures).get("target_scale")
    assert (finding is not None and "name classes" in finding.remedy) == told


@pytest.mark.parametrize(
    ("ratio", "rows", "told"), [(900, 64, True), (2, 64, False), (900, 8, False)]
)
def test_large_inputs_of_one_column_name_it(ratio, rows, told):
    figures = healthy(network(), 40)
    looked = {"input_rms": 750, "input_largest": 2000, "input_feature_at": 6}
    looked |= {"input_feature_ratio": ratio, "samples": rows}
    for name, value in looked.items():
        figures[name][::10] = value
    assert (
        "column 6 (the first is 0)" in rules_and_words(figures)["input_scale"].explanation
    ) == told


@pytest.mark.parametrize(
    ("dropped", "level", "kind", "severity"),
    [(0.7, 4.5, 6, "warning"), (0.7, 3.0, 6, "note"), (0.5, 4.5, 6, None), (0.7, 4.5, 9, "note")],
)
def test_a_dropout_that_keeps_an_error_above_half_is_no_note(dropped, level, kind, severity):
    figures = healthy(network(), 400)
    figures["loss"][:] = np.r_[np.linspace(8, level, 60), np.full(340, level)]
    figures["update_to_weight"][:] = 5e-3
    at_looks(figures, loss_kind=kind, loss_reduction=1, target_std=2, dropout=dropped)
    assert found(figures).get("dropout_high", (None,))[0] == severity


@pytest.mark.parametrize(
    ("level", "classes", "severity"), [(2.15, 10, "note"), (2.0, 10, None), (2.15, 1000, None)]
)
def test_a_loss_that_stays_near_the_entropy_for_long_is_a_note(level, classes, severity):
    figures = healthy(network(), 400)
    figures["update_to_weight"][:] = 2e-3
    figures["loss"][:] = np.r_[np.linspace(2.4, level, 60), np.full(340, level)]
    figures["loss"][:] += np.random.default_rng(0).normal(0, 0.01, 400)
    at_looks(figures, loss_kind=1, loss_reduction=1, outputs=classes, label_entropy=2.3)
    assert found(figures).get("labels_without_signal", (None,))[0] == severity


@pytest.mark.parametrize(("missing", "words"), [(0, ""), (1, "class 3"), (3, "nor of 2 others")])
def test_a_class_that_is_never_a_target_is_a_note(missing, words):
    figures = healthy(network(), 200)
    looked = {"uncalled_targets": 0, "untargeted_classes": missing, "untargeted_class": 3}
    for name, value in (looked | {"outputs": 10}).items():
        figures[name][::10] = value
    finding = rules_and_words(figures).get("class_not_predicted")
    assert words in finding.explanation if words else finding is None


@pytest.mark.parametrize(
    ("others", "severity"),
    [
        *(({}, "warning"), ({"batch_entropy": 0.7}, "note"), ({"batch_entropy": np.nan}, "note")),
        *(({"ignored_share": 0.1}, "note"), ({"candidates": 10}, "note")),
        ({"untargeted_end": 0}, "note"),
    ],
    ids=["split off", "sorted", "places", "left out", "partners", "in between"],
)
def test_the_last_classes_of_mixed_even_ones_are_a_warning_if_they_never_come(others, severity):
    figures = healthy(network(), 300)
    looked = {"uncalled_targets": 0, "untargeted_classes": 2, "untargeted_class": 8, "outputs": 10}
    looked |= {"untargeted_end": 1, "samples": 16, "label_entropy": 2.0, "batch_entropy": 1.8}
    for name, value in (looked | others).items():
        figures[name][::10] = value
    finding = rules_and_words(figures)["class_not_predicted"]
    assert finding.severity == severity
    assert ("nor of the 1 after it" in finding.explanation) == (severity == "warning")


@pytest.mark.parametrize(
    ("without_bias", "sizes", "level", "told"),
    [
        *((True, 0.4, 0.62, True), (True, 0.4, 0.5, False)),
        *((True, 0.05, 0.62, False), (True, np.nan, 0.62, False), (False, 0.4, 0.62, False)),
    ],
)
def test_a_network_without_biases_that_cannot_tell_sizes_is_told_of_before_its_dead_units(
    without_bias, sizes, level, told
):
    layers = [replace(each, width=(50, 50), without_bias=without_bias) for each in network("relu")]
    figures = healthy(layers, 240)
    figures["loss"][:] = level + np.random.default_rng(0).normal(0, 0.003, 240)
    figures["loss"][:5] = 0.75
    at_looks(figures, label_entropy=0.693, outputs=2, input_sizes=sizes)
    figures["dead_units"][:, 1], figures["units"][:, 1] = 0.6, 32
    findings = rules_and_words(figures)
    assert ("labels_without_signal" in findings) == told
    if told:
        assert next(iter(findings)) == "labels_without_signal"
        assert "no layer of the network has a bias" in findings["labels_without_signal"].explanation
        assert findings["labels_without_signal"].step == 0


@pytest.mark.parametrize(("copies", "words"), [(0, "belongs to its input"), (1, "breaks off")])
def test_an_autoencoder_that_learns_the_mean_is_not_told_of_its_pairs(copies, words):
    figures = healthy(network(), 240)
    figures["update_to_weight"][:] *= 2
    figures["loss"][:] = 4.0 + np.random.default_rng(0).normal(0, 0.01, 240)
    figures["loss"][:40] += 1
    at_looks(figures, loss_kind=6, loss_reduction=1, target_std=2, targets_are_inputs=copies)
    assert words in rules_and_words(figures)["labels_without_signal"].remedy


@pytest.mark.parametrize(
    ("later", "severity"), [(0.9, "note"), (1.386, "warning"), (1.3, "warning")]
)
def test_labels_have_a_signal_where_the_loss_falls_on_below_chance(later, severity):
    figures = healthy(network(), 200)
    figures["loss"][:] = 1.386 + np.random.default_rng(0).normal(0, 0.003, 200)
    figures["loss"][:5] += 0.05
    figures["loss"][150:] = later
    figures["label_entropy"][::10] = 1.386
    assert found(figures)["labels_without_signal"][0] == severity


@pytest.mark.parametrize(("recurs", "steps", "told"), [(0, 97, 0), (0, 98, 1), (1, 100, 0)])
def test_a_cross_entropy_that_stays_at_chance_for_its_patience_says_nothing(recurs, steps, told):
    figures = healthy(network(), 100)
    figures["loss"][:] = 1.386 + np.random.default_rng(0).normal(0, 0.003, 100)
    figures["loss"][:5] += 0.05
    figures["label_entropy"][::10] = 1.386
    figures["gate_shut"][::10, 2] = 0.1 if recurs else math.nan
    assert ("labels_without_signal" in found(part_until(figures, steps))) == told


@pytest.mark.parametrize(
    ("function", "value", "outputs", "told"),
    [
        (LastFunction.SOFTMAX, 1, 10, True),
        (LastFunction.LOG_SOFTMAX, 0, 10, True),
        (LastFunction.SOFTMAX, 0.1, 10, False),
        (LastFunction.RELU, 0, 10, False),
        (LastFunction.SOFTMAX, 1, 1, False),  # softmax_of_one
    ],
)
def test_a_softmax_over_samples_gives_a_sample_that_is_alone_1_for_every_class(
    function, value, outputs, told
):
    figures = healthy(network(), 60)
    figures["loss"][:] = 0
    figures["output_function"][::10], figures["samples"][::10] = function, 1
    figures["output_min"][::10] = figures["output_max"][::10] = value
    figures["outputs"][::10], figures["output_columns_one"][::10] = outputs, 0
    assert ("softmax_over_batch" in found(figures)) == told


@pytest.mark.parametrize(("update", "words"), [(5e-4, "optimizer.lr"), (2e-3, "check that each")])
def test_at_chance_small_steps_are_to_be_larger_before_labels_are_doubted(update, words):
    figures = healthy(network(), 130)
    figures["update_to_weight"][:] = update
    figures["loss"][:] = 1.386 + np.random.default_rng(0).normal(0, 0.003, 130)
    figures["loss"][:5] += 0.05
    figures["label_entropy"][::10] = 1.386
    assert rules_and_words(figures)["labels_without_signal"].remedy.startswith(words)


def test_a_cross_entropy_that_leaves_chance_slowly_is_no_sign_of_wrong_labels():
    figures = healthy(network(), 130)
    figures["loss"][:] = (
        1.39 - 2e-4 * np.arange(130) + np.random.default_rng(0).normal(0, 4e-3, 130)
    )
    figures["loss"][:5] += 0.05
    figures["label_entropy"][::10] = 1.386
    assert "labels_without_signal" not in found(figures)


@pytest.mark.parametrize(("floor", "told"), [(0.0, True), (1.368, False)])
def test_labels_that_are_smoothed_nearly_to_chance_may_be_learned(floor, told):
    figures = healthy(network(), 240)
    figures["loss"][:] = 1.37 + np.random.default_rng(0).normal(0, 1e-3, 240)
    figures["loss"][:40] += 0.1
    figures["label_entropy"][::10], figures["loss_floor"][::10] = 1.386, floor
    assert ("labels_without_signal" in found(figures)) == told


@pytest.mark.parametrize(("slope", "told"), [(0.0, True), (5e-3, False)])
def test_a_contrastive_loss_that_passes_what_guessing_costs_on_its_way_down_learns(slope, told):
    figures = healthy(network(), 300)
    noise = np.random.default_rng(0).normal(0, 0.02, 300)
    figures["loss"][:] = np.log(64) + slope * (190 - np.arange(300)) + noise
    figures["loss"][:40] += 0.5
    figures["candidates"][::10] = 64
    assert ("labels_without_signal" in found(figures)) == told


@pytest.mark.parametrize("beyond", [-2.0, 6.0])
def test_a_contrastive_loss_is_measured_by_what_guessing_costs_and_not_by_its_start(beyond):
    """A queue of random keys tells a partner at once; keys that are learned are harder."""
    figures = healthy(network(), 200)
    figures["loss"][:] = np.log(512) + beyond + 1e-4 * np.arange(200)
    figures["loss"][:5] = 0.1, 0.3, 0.8, 1.2, 2.0
    figures["update_to_weight"][:] = 1e-3
    rules = {"loss_diverged", "loss_rising"}
    assert found(figures).keys() >= rules
    figures["candidates"][::10] = 512
    assert (found(figures).keys() & rules == set()) == (beyond < 0)
    figures["loss"][:5] = np.log(512) + beyond
    figures["loss"][:] += np.random.default_rng(0).normal(0, 0.02, 200) - 1e-4 * np.arange(200)
    assert ("loss_not_falling" not in found(figures)) == (beyond < 0)


def test_the_place_of_a_partner_among_candidates_is_no_class():
    figures = healthy(network(), 200)
    at_looks(figures, labels_seen=1, label=0, samples=64, loss_kind=1)
    assert "one_class" in found(figures)
    figures["candidates"][::10] = 512
    assert "one_class" not in found(figures)


@pytest.mark.parametrize(("of_inputs", "told"), [(1e-2, True), (0.0, False)])
def test_a_recurrence_whose_own_weights_get_no_gradient_is_not_used(of_inputs, told):
    parts = ("weight_hh_l0", "weight_ih_l0", "weight_hh_l0_reverse")
    own = [LayerFacts(f"02_lstm.{part}", "lstm", "LSTM", weights=("weight",)) for part in parts]
    figures = healthy((*network(), *own))
    for place, rms in zip((6, 7, 8), (0.0, of_inputs, 0.0), strict=True):
        figures["weight_grad_rms"][:, place] = rms
    none = rules_and_words(figures).get("no_gradient")
    assert (none is not None and none.layer == "02_lstm.weight_hh_l0") == told
    assert none is None or "recurrence is not used" in none.explanation


def test_a_dropout_of_eight_tenths_is_a_note_and_one_after_the_last_layer_a_warning(figures):
    figures["dropout"][::10], figures["loss_kind"][::10] = 0.8, 1
    assert found(figures)["dropout_high"][0] == "note"
    figures["output_dropped"][::10] = 0.5
    assert found(figures)["dropout_high"][0] == "warning"


@pytest.mark.parametrize(("later", "named"), [(0.9, True), (0.95, False)])
def test_a_dropout_is_named_while_it_drops_what_it_did_at_first(later, named):
    *inner, last = network()
    figures = healthy((*inner, replace(last, dropout_at="blocks.1.drop")))
    figures["dropout"][:10], figures["dropout"][10:] = 0.9, later
    judge = Judge(figures.layers)
    for rows in (slice(0, 10), slice(10, None)):
        judge.look(figures.of_rows(rows))
    (told,) = judge.findings
    assert ("that of blocks.1.drop:" in told.explanation) == named


def test_a_dropout_before_a_product_at_the_end_is_not_said_to_come_after_it(figures):
    at_looks(figures, dropout=0.5, loss_kind=1, output_dropped=0.1)
    assert "after its last layer" in rules_and_words(figures)["dropout_high"].explanation
    figures["output_function"][::10] = LastFunction.LINEAR
    told = rules_and_words(figures)["dropout_high"]
    assert told.severity == "note"
    assert "a dropout before its last layer" in told.explanation


def test_a_softmax_along_another_axis_than_the_classes_is_over_the_wrong_one(figures):
    figures["softmax_beside_classes"][::10], figures["outputs"][::10] = 1, 5
    assert "another axis" in rules_and_words(figures)["softmax_over_batch"].explanation


@pytest.mark.parametrize(("share", "told"), [(1.0, True), (0.1, False), (1e-5, True)])
def test_steps_that_a_schedule_makes_small_are_no_rate_that_is_too_low(share, told):
    figures = healthy(network(), 160)
    figures["loss"][:] = np.linspace(3, 2.7, 160)
    figures["update_to_weight"][:] = 1e-4
    figures["learning_rate"][40:] = 1e-3 * share
    assert ("loss_not_falling" in found(figures)) == told


@pytest.mark.parametrize(("units", "told"), [(7, False), (8, True), (math.nan, False)])
def test_of_few_units_neither_mean_nor_spread_says_anything_but_no_spread_does(
    figures, units, told
):
    figures["units"][:, 1:3] = units
    figures["activation_mean"][:, 1] = 1.3
    figures["activation_std"][:, 2] = 0.005
    assert found(figures).keys() == ({"biased", "idle"} if told else set())
    figures["activation_std"][:, 2] = 0
    assert "idle" in found(figures)


def test_a_function_behind_all_weights_belongs_to_the_loss_and_may_have_any_outputs():
    weighted = layer(1, "tanh")
    for weights, told in ((("weight",), True), ((), False)):
        layers = (weighted, *(replace(layer(i, "tanh"), weights=weights) for i in (2, 3)))
        figures = healthy(layers)
        figures["activation_std"][:, 1] = 0.001
        assert ("idle" in found(figures)) == told


@pytest.mark.parametrize("kind", [0, 6])
def test_a_loss_of_several_terms_may_grow_ten_times_and_an_error_may_not(kind):
    figures = healthy(network(), 120)
    figures["update_to_weight"][:] = 0.02
    figures["loss"][:] = np.r_[np.linspace(3, 27, 60), np.full(60, 27.0)]
    figures["loss_kind"][::10], figures["output_alone"][::10] = kind, 0
    assert ("loss_rising" in found(figures)) == ("loss_diverged" in found(figures)) == (kind == 6)
    figures["output_alone"][::10] = 1
    remedy = rules_and_words(figures)["loss_rising"].remedy
    assert remedy.startswith("check the sign") == (kind == 6)  # of none it is known
    assert ("Q-learning" in remedy) == (kind == 0)
    figures["output_alone"][::10] = 0
    figures["loss"][60:] = 60  # the mean of 20 counts
    assert found(figures).keys() >= {"loss_rising", "loss_diverged"}


def test_what_a_loss_does_before_its_weights_have_moved_is_no_divergence():
    for moves, told in ((1e-3, False), (0.2, True)):
        figures = healthy(network(), 60)
        figures["loss"][:], figures["loss"][:3] = 1.0, 0.01
        figures["loss_kind"][::10] = 0
        figures["update_to_weight"][:] = moves
        assert ("loss_diverged" in found(figures)) == told


@pytest.mark.parametrize(("entropy", "told"), [(1.1, True), (1.4, False)])
def test_what_was_learned_of_some_classes_is_not_lost_where_others_come(entropy, told):
    figures = healthy(network(), 120)
    figures["loss"][:] = np.r_[np.linspace(2, 0.5, 60), np.linspace(0.5, 1.8, 20), np.full(40, 1.8)]
    figures["label_entropy"][::10] = 1.1
    figures["label_entropy"][70::10] = entropy
    assert ("loss_diverged" in found(figures)) == told


def of_two_tasks(leap, came=60, look=60, after=0.3, share=0.75):
    """A loss that falls, leaps as the next task comes, and comes down to `after`."""
    figures = healthy(network(), 160)
    figures["loss"][:came] = np.geomspace(2, 0.05, came)
    figures["loss"][came:] = leap * np.geomspace(1, after / leap, 160 - came)
    figures["labels_new"][::10] = 0
    figures["labels_new"][0], figures["labels_new"][look] = np.nan, share
    return figures


@pytest.mark.parametrize(("came", "look"), [(60, 60), (63, 70), (55, 60)])
def test_a_loss_that_leaps_as_new_classes_come_has_not_diverged(came, look):
    figures = of_two_tasks(9.0, came, look)
    for step in (came - 3, came + 3):
        figures["weight_grad_rms"][step] *= 100
    told = rules_and_words(figures)
    assert (told["loss_diverged"].severity, told["gradient_spike"].severity) == ("note", "note")
    assert "had never come before" in told["loss_diverged"].explanation
    assert told["loss_diverged"].remedy.startswith("nothing, where tasks follow")
    figures["labels_new"][look] = 0
    told = rules_and_words(figures)
    assert (told["loss_diverged"].severity, told["gradient_spike"].severity) == (
        *("warning", "warning"),
    )
    assert "never come" not in told["loss_diverged"].explanation


@pytest.mark.parametrize(
    ("after", "severity"), [(0.5, "note"), (30.0, "warning"), (99.0, "warning")]
)
def test_a_loss_that_rises_on_once_new_classes_have_come_has_diverged(after, severity):
    figures = of_two_tasks(9.0)
    figures["loss"][90:] = after
    assert rules_and_words(figures)["loss_diverged"].severity == severity


@pytest.mark.parametrize("cut", [58, 61, 64, 71, 80])
def test_new_classes_explain_the_same_however_the_run_is_cut(cut):
    assert_found_alike(of_two_tasks(9.0, 63, 70), cut)


def test_a_spike_long_after_new_classes_is_one():
    figures = of_two_tasks(9.0)
    figures["weight_grad_rms"][90] *= 100
    assert rules_and_words(figures)["gradient_spike"].severity == "warning"


@pytest.mark.parametrize(("largest", "severity"), [(1.0, "note"), (3.0, "warning")])
def test_a_binary_cross_entropy_below_zero_is_wrong_where_its_targets_are(
    figures, largest, severity
):
    figures["loss"][:], figures["loss_kind"][::10] = -0.5, 4
    figures["target_min"][::10], figures["target_max"][::10] = 0, largest
    assert found(figures)["negative_loss"][0] == severity


@pytest.mark.parametrize(("every", "told"), [(1, True), (10, False)])
def test_an_optimizer_that_is_made_anew_in_each_step_has_no_averages(figures, every, told):
    figures["optimizers_replaced"][::10] = figures.steps[::10] // every
    assert ("optimizer_averages" in found(figures)) == told


@pytest.mark.parametrize(("ratio", "told"), [(0.9 / 0.999**0.5, False), (0.999 / 0.9**0.5, True)])
def test_betas_that_are_exchanged_are_told(figures, ratio, told):
    figures["optimizers_replaced"][::10], figures["beta_ratio"][::10] = 0, ratio
    assert ("optimizer_averages" in found(figures)) == told


@pytest.mark.parametrize(
    ("momentum", "last", "severity"),
    [(0.995, 30.0, None), (0.996, 30.0, "warning"), (0.996, 2.0, "note"), (0.0, 30.0, None)],
)
def test_a_long_momentum_is_told_and_is_why_a_loss_diverges(momentum, last, severity):
    figures = healthy(network(), 120)
    figures["optimizers_replaced"][::10], figures["momentum"][::10] = 0, momentum
    figures["loss"][:60], figures["loss"][60:] = 3.0, last
    told = found(figures)
    assert told.get("optimizer_averages", (None,))[0] == severity
    assert severity != "warning" or next(iter(told)) == "optimizer_averages"


@pytest.mark.parametrize(
    ("averaged", "last", "severity"),
    [(0.0, 30.0, None), (2.1, 30.0, None), (2.0, 30.0, "warning"), (2.0, 2.0, "note")],
)
def test_an_average_of_two_squares_is_told_and_is_why_a_loss_diverges(averaged, last, severity):
    figures = healthy(network(), 120)
    figures["optimizers_replaced"][::10], figures["squares_averaged"][::10] = 0, averaged
    figures["loss"][:60], figures["loss"][60:] = 3.0, last
    told = found(figures)
    assert told.get("optimizer_averages", (None,))[0] == severity
    assert severity != "warning" or next(iter(told)) == "optimizer_averages"


@pytest.mark.parametrize(
    ("epsilon", "gradient", "last", "severity"),
    [
        *((0.1, 1e-3, 2.0, "note"), (0.1, 1e-3, 0.001, None), (0.1, 0.04, 2.0, None)),
        *((0.1, 1e-3, 3.0, "warning"), (1e-5, 1e-7, 3.0, None)),
    ],
)
def test_an_epsilon_that_drowns_gradients_is_told_and_is_why_a_loss_stays(
    epsilon, gradient, last, severity
):
    figures = healthy(network(), 120)
    figures["optimizers_replaced"][::10], figures["epsilon"][::10] = 0, epsilon
    figures["weight_grad_rms"][:, 0], figures["weight_grad_rms"][:, 1:] = gradient, gradient / 5
    figures["loss"][:5], figures["loss"][5:] = 3.0, last
    told = found(figures)
    assert told.get("optimizer_averages", (None,))[0] == severity
    assert severity != "warning" or next(iter(told)) == "optimizer_averages"


@pytest.mark.parametrize(
    ("momentum", "told"), [(0.1, None), (0.99, "note"), (0.0, "warning"), (-1.0, "warning")]
)
def test_a_batch_normalisation_that_keeps_one_batch_is_a_note_and_none_a_warning(
    figures, momentum, told
):
    figures["norm_momentum"][::10] = momentum
    assert found(figures).get("running_statistics", [None])[0] == told


@pytest.mark.parametrize(("momentum", "told"), [(1e-3, True), (1e-2, False)])
def test_running_statistics_that_are_mostly_those_of_the_start_are_a_note(momentum, told):
    figures = healthy(network(), 140)
    figures["norm_momentum"][::10] = momentum
    finding = rules_and_words(figures).get("running_statistics")
    assert (finding is not None) == told
    assert not told or (finding.severity == "note" and "start with" in finding.explanation)


@pytest.mark.parametrize(
    ("times", "passes", "falls", "severity"),
    [
        *((1 / 32, 1, False, "warning"), (1 / 32, 1, True, "note")),
        *((1 / 32, 32, False, None), (1 / 30, 1, False, None), (1 / 40, 1, False, None)),
    ],
)
def test_a_mean_that_is_divided_by_its_samples_once_more_is_told(times, passes, falls, severity):
    figures = healthy(network(), 120)
    figures["loss"][:] = 0.07 - 3e-4 * falls * np.arange(120)
    at_looks(figures, samples=32, loss_reduction=times, passes=passes, squares_averaged=0)
    found = rules_and_words(figures).get("loss_reduction")
    assert (found and found.severity) == severity
    assert severity is None or "divided by their number once more" in found.explanation
    for name, value in (
        ("squares_averaged", 1000),
        ("samples", 10),
    ):  # Adam does not see it; nor do few
        figures[name][::10] = value
        figures["loss_reduction"][::10] = 1 / figures["samples"][0]
        assert "loss_reduction" not in rules_and_words(figures)
        figures["squares_averaged"][::10] = 0


@pytest.mark.parametrize(
    ("times", "outputs", "told"),
    [
        (256.0, 10, True),
        (512.0, 10, True),  # all elements may be summed up, and counted twice
        (1024.0, 10, False),
        (65536.0, 10, False),
        (65000.0, 10, True),  # no power of two
        (64.0, np.nan, True),
        (128.0, np.nan, False),
    ],
)
def test_the_factor_of_a_gradient_scaler_is_no_sum_over_the_batch(figures, times, outputs, told):
    at_looks(figures, samples=32, loss_reduction=times, outputs=outputs)
    assert ("loss_reduction" in found(figures)) == told


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((layer(0, None, 0, width=(2, 2)),), "a hidden layer with"),
        ((layer(0, None, 1, module="RNN"), layer(1, None, 1, width=(8, 2))), "nn.GRU or nn.LSTM"),
        ((layer(0, "relu", 1), layer(1, None, 1, width=(8, 2))), "check that each label"),
    ],
)
def test_before_the_labels_are_doubted_the_network_is_that_cannot_learn_them(layers, words):
    figures = healthy(layers, 240)
    figures["update_to_weight"][:] *= 2
    figures["loss"][:] = 1 + np.random.default_rng(0).normal(0, 1e-3, 240)
    figures["loss"][:10] += 0.3
    figures["loss_kind"][::10], figures["label_entropy"][::10] = Loss.CROSS_ENTROPY, 1.0
    assert rules_and_words(figures)["labels_without_signal"].remedy.startswith(words)


@pytest.mark.parametrize(
    ("samples", "times", "told"),
    [
        (32, 64.0, True),
        (32, 47.7, False),
        (32, 213.4, False),
        (32, 2.03 * 32, True),  # a whole number of times, and rounding
        (32, 2.06 * 32, False),
        (64, 0.91 * 64, True),  # a padded batch
        (64, 0.89 * 64, False),
        (11, 11.0, True),
        (10, 10.0, False),  # of so few nobody cares
        (40, 20.0, False),
    ],
)
def test_a_loss_that_is_no_whole_number_of_times_its_mean_is_no_sum(figures, samples, times, told):
    figures["samples"][::10], figures["loss_reduction"][::10] = samples, times
    assert ("loss_reduction" in found(figures)) == told
    figures["loss_reduction"][20:] = np.nan  # two looks
    assert "loss_reduction" not in found(figures)


@pytest.mark.parametrize(
    ("divided", "betas", "severity"),
    [(1.0, 0.0, "warning"), (1.0, 0.9, "note"), (65536.0, 0.0, None), (9.5, 0.0, None)],
)
def test_a_scalers_factor_that_nothing_takes_out_again_is_told(figures, divided, betas, severity):
    figures["samples"][::10], figures["outputs"][::10] = 32, 10
    figures["loss_reduction"][::10], figures["gradients_divided"][::10] = 65536.0, divided
    figures["squares_averaged"][::10] = betas
    finding = rules_and_words(figures).get("loss_reduction")
    assert (finding and finding.severity) == severity
    assert finding is None or "scaler.step(optimizer)" in finding.remedy


def test_a_power_of_two_that_a_sum_may_come_to_is_no_scalers_factor(figures):
    at_looks(figures, samples=128, outputs=1, loss_reduction=128.0, gradients_divided=1.0)
    assert "sum over the batch" in rules_and_words(figures)["loss_reduction"].explanation


@pytest.mark.parametrize(("goes_on", "told"), [(0.0, True), (1.0, False)])
def test_a_network_that_was_trained_before_may_begin_with_a_large_loss(figures, goes_on, told):
    figures["loss"][0], figures["goes_on"][0] = 30.0, goes_on
    assert ("overconfident_start" in found(figures, classes=27)) == told


@pytest.mark.parametrize(("size", "words"), [(0.1, "optimizer.lr"), (1e20, "kaiming")])
def test_where_weights_are_out_of_proportion_no_learning_rate_is_advised(size, words):
    layers = tuple(replace(facts, width=(50, 50)) for facts in network())
    figures = healthy(layers, 400)
    figures["loss"][:] = 1.3
    figures["update_to_weight"][:], figures["weight_rms"][:] = 1e-7, size
    assert words in rules_and_words(figures)["update_too_small"].remedy


@pytest.mark.parametrize(
    ("function", "told"), [(LastFunction.NONE, True), (LastFunction.CLAMP, False)]
)
def test_an_output_that_a_clamp_holds_at_1_is_no_softmax(figures, function, told):
    at_looks(figures, outputs=1, output_function=function, output_min=1.0, output_max=1.0)
    assert ("softmax_of_one" in found(figures)) == told


@pytest.mark.parametrize(
    ("kind", "outputs", "told"),
    [
        (Loss.BINARY_LOGITS, 32, False),
        (Loss.BINARY_LOGITS, 1, True),
        (Loss.BINARY_LOGITS, 100, True),
        (Loss.CROSS_ENTROPY, 32, True),
    ],
)
def test_a_mean_over_the_batch_of_sums_over_as_many_outputs_is_no_sum_over_the_batch(
    figures, kind, outputs, told
):
    at_looks(figures, samples=32, loss_reduction=32, loss_kind=kind, outputs=outputs)
    assert ("loss_reduction" in found(figures)) == told


@pytest.mark.parametrize(
    ("until", "later", "severity"), [(36, 2.0, "note"), (60, 2.0, "warning"), (36, 2.9, "warning")]
)
def test_units_that_are_active_again_while_the_loss_falls_on_were_not_dead(until, later, severity):
    figures = healthy(network("relu"), 60)
    figures["loss"][:30], figures["loss"][30:] = 3.0, later
    figures["silent_units"][:until, 2] = figures["quiet_units"][10:until, 2] = 60
    assert found(figures)["dead_units"][0] == severity


@pytest.mark.parametrize(
    ("told", "about"),
    [
        (True, {}),
        (False, {"passes": 10}),
        (False, {"loss_reduction": 1 / 16}),  # divided
        (False, {"squares_averaged": 1000}),
        (False, {"optimizers": 2}),
    ],
)
def test_gradients_of_many_passes_that_are_added_up_and_not_divided_are_a_note(
    figures, told, about
):
    usual = {
        "samples": 8,
        "loss_reduction": 1,
        "passes": 16,
        "squares_averaged": 0,
        "optimizers": 1,
    }
    for name, value in (usual | about).items():
        figures[name][::10] = value
    finding = rules_and_words(figures).get("loss_reduction")
    assert (finding is not None) == told
    if finding is not None:
        assert (finding.severity, finding.value) == ("note", 16)
        assert "(loss / 16).backward()" in finding.remedy


@pytest.mark.parametrize(("stair", "told"), [(1, False), (30, True)])
def test_a_warm_up_by_epochs_that_does_not_end_is_judged_between_its_stairs(stair, told):
    figures = healthy(network(), 240)
    figures["loss"][:] = np.linspace(3, 2.9, 240)
    figures["update_to_weight"][:] = 1e-4
    figures["learning_rate"][:] = 1e-6 * (1 + figures.steps // stair)
    assert ("loss_not_falling" in found(figures)) == told


@pytest.mark.parametrize(("kind", "told"), [(0, False), (1, True)])
def test_a_loss_that_rises_and_may_have_a_term_that_grows_is_not_said_not_to_fall(kind, told):
    figures = healthy(network(), 160)
    figures["loss"][:] = np.linspace(1, 2, 160)
    figures["loss_kind"][::10], figures["output_alone"][::10] = kind, 0
    assert ("loss_not_falling" in found(figures)) == told


@pytest.mark.parametrize(
    ("size", "level", "told"),
    [
        (1e-5, 1e-6, "smaller than what a step changes"),
        (1e-5, 1e-11, ""),
        (0.1, 1.0, ""),
        (20.0, 1e3, "20 (limit 10), where a network begins with outputs of about 1; and the loss"),
        (20.0, 1.0, "20 (limit 10), where a network begins with outputs of about 1"),
        (200.0, 1e6, "200 (limit 100), where a network begins with outputs of about 1"),
    ],
)
def test_small_targets_and_large_ones_are_told_while_the_loss_is_above_that_of_their_mean(
    size, level, told
):
    figures = healthy(network(), 120)
    figures["loss"][:] = level * (1 + 1 / (1 + np.arange(120)))
    at_looks(figures, loss_kind=6, loss_reduction=1, target_rms=size, target_std=size)
    finding = rules_and_words(figures).get("target_scale")
    assert told in finding.explanation if told else finding is None


@pytest.mark.parametrize(("size", "is_told"), [(1e-3, False), (20.0, True), (200.0, True)])
def test_small_targets_of_an_absolute_error_are_too_little_known_to_be_told(size, is_told):
    """Its other terms, as of an eikonal equation (Gropp et al. 2020), would seem to be theirs."""
    figures = healthy(network(), 120)
    figures["loss"][:] = 10 * size * (1 + 1 / (1 + np.arange(120)))
    at_looks(figures, loss_kind=7, loss_reduction=1, target_rms=size, target_std=size)
    assert ("target_scale" in rules_and_words(figures)) == is_told


@pytest.mark.parametrize(
    ("seen", "level", "told"),
    [
        ({"weight_decay": 30.0}, 1.3, True),
        ({"loss_beside": 0.7}, 1.3, True),
        ({"weight_decay": 30.0}, 0.3, False),  # learned all the same
        ({"weight_decay": 0.1, "loss_beside": 0.1}, 1.3, False),  # nothing draws
        ({"loss_beside": 0.07}, 1.4, True),
        ({"loss_beside": 0.01}, 1.4, False),
    ],
)
def test_weights_that_are_drawn_to_half_are_told_where_the_loss_stays_high(seen, level, told):
    figures = healthy(network(), 120)
    figures["loss"][:], figures["label_entropy"][::10] = level, 1.4
    figures["weight_rms"][40:] *= 0.4
    at_looks(figures, **seen)
    finding = rules_and_words(figures).get("weights_decay_to_zero")
    assert (finding is not None) == told
    assert not told or (finding.step, finding.threshold) == (40, 0.5)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_an_optimizer_without_weight_decay_is_not_advised_to_have_less(decay):
    figures = healthy(network(), 120)
    figures["weight_rms"][40:] *= 1e-3
    figures["weight_decay"][::10] = decay
    remedy = rules_and_words(figures)["weights_decay_to_zero"].remedy
    assert ("weight_decay (lr" in remedy or "a smaller optimizer.weight_decay" in remedy) == (
        decay > 0
    )


@pytest.mark.parametrize(
    ("aligns", "steps", "told"), [(0, 60, False), (0, 120, True), (1, 60, True)]
)
def test_a_ctc_loss_that_is_exactly_0_is_told_early(aligns, steps, told):
    figures = healthy(network(), steps)
    figures["loss"][:] = figures["weight_grad_rms"][:] = 0.0
    figures["of_alignment"][::10] = aligns
    finding = rules_and_words(figures).get("loss_not_falling")
    assert (finding is not None) == told
    assert not told or ("zero_infinity" in finding.explanation) == aligns


@pytest.mark.parametrize("rewarded", [False, True])
def test_returns_that_are_all_0_are_told_unless_one_look_had_another(rewarded):
    figures = healthy(network(), 160)
    figures["returns_zero"][::10] = 1
    figures["returns_zero"][20] = not rewarded
    found = rules_and_words(figures).get("one_class")
    assert (found is None) == rewarded
    assert rewarded or "no reward has come" in found.explanation


@pytest.mark.parametrize(("learns", "severity"), [(True, "note"), (False, "warning")])
def test_units_said_to_be_dead_on_few_samples_are_a_note_if_the_network_has_learned_since(
    learns, severity
):
    figures = healthy(network("relu"), 80)
    figures["silent_units"][:, 1] = 60
    figures["quiet_units"][10:, 1] = 60
    figures["zeros"][:, 1] = 0.7
    figures["loss"][:] = 3 + 0.01 * np.cos(np.arange(80))
    if learns:
        figures["loss"][40:] = 0.1
    assert found(figures)["dead_units"][0] == severity


@pytest.mark.parametrize(
    ("alike", "size", "severity"),
    [(6, 1.0, "warning"), (5, 1.0, "warning"), (6, 0.0, "critical"), (4, 1.0, None)],
)
def test_weights_that_are_one_constant_in_all_layers_at_the_start_are_told_at_once(
    alike, size, severity
):
    figures = healthy(network(), 2)
    figures["weight_row_spread"][0] = np.r_[np.zeros(alike), np.ones(6 - alike)]
    figures["weight_row_spread"][1] = 1e-3  # after the first step
    figures["weight_rms"][:] = size
    finding = rules_and_words(figures).get("constant_weights")
    assert (finding and finding.severity) == severity


@pytest.mark.parametrize(("gradient", "told"), [(1e-3, True), (0.0, False), (np.nan, False)])
def test_units_that_no_gradient_comes_to_are_not_said_to_get_the_same(gradient, told):
    figures = healthy(network(), 20)
    figures["weight_row_spread"][::5] = 1.0
    figures["weight_row_spread"][::5, 3] = 0.0
    figures["weight_grad_rms"][:, 3], figures["no_gradient"][::5, 3] = gradient, np.isnan(gradient)
    assert ("constant_weights" in rules_and_words(figures)) == told


@pytest.mark.parametrize(
    ("ratio", "words"), [(10**-3.8, "ten times"), (10**-4.8, "a hundred times")]
)
def test_how_much_a_rate_is_to_be_raised_goes_by_how_small_the_steps_are(ratio, words):
    figures = healthy(network(), 120)
    figures["update_to_weight"][:] = ratio
    figures["loss"][:] = 3 + 1e-3 * np.cos(np.arange(120))
    assert words in rules_and_words(figures)["loss_not_falling"].remedy


@pytest.mark.parametrize(
    ("decay", "level", "told"), [(1.0, 1.3, True), (1.0, 0.3, False), (0.05, 1.3, False)]
)
def test_a_rate_that_fades_before_anything_is_learned_is_told(decay, level, told):
    figures = healthy(network(), 400)
    figures["learning_rate"][:] = 0.01 / (1 + decay * np.arange(400))
    figures["loss"][:], figures["label_entropy"][::10] = level, 1.4
    assert ("learning_rate_gone" in rules_and_words(figures)) == told


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        (np.where(np.arange(400) < 320, 0.01, 0.9e-6), "hardly anything moves"),
        (np.where(np.arange(400) < 320, 0.01, 1.1e-6), None),
        (0.005 * (1 + np.cos(np.pi * np.arange(400) / 400)), None),
        (0.01 * 0.9 ** np.cumsum(np.arange(20)).repeat(20), "a higher power of one factor"),
    ],
    ids=["sunk", "not so far", "cosine", "compounding"],
)
def test_a_rate_that_has_sunk_or_compounds_is_told_while_little_is_learned(rates, words):
    figures = healthy(network(), 400)
    figures["learning_rate"][:] = rates
    figures["loss"][:], figures["label_entropy"][::10] = 1.3, 1.4
    found = rules_and_words(figures).get("learning_rate_gone")
    assert (found is not None) == (words is not None)
    assert words is None or words in found.explanation
    figures["loss"][:] = 0.3
    assert "learning_rate_gone" not in rules_and_words(figures)


@pytest.mark.parametrize(("last", "told"), [(2.29, True), (0.5, False)])
def test_a_warm_up_that_begins_anew_is_told_while_little_is_learned(last, told):
    figures = healthy(network(), 240)
    figures["learning_rate"][:] = 1e-7 + 1e-4 * (np.arange(240) % 14)
    figures["loss"][:] = np.linspace(2.3, last, 240)
    found = rules_and_words(figures).get("learning_rate_gone")
    assert (found is not None) == told
    assert not told or ("starts over" in found.explanation and found.severity == "warning")


@pytest.mark.parametrize(
    ("size", "severity"), [(101.0, "warning"), (99.0, "note"), (9.9, None), (np.nan, None)]
)
def test_large_targets_of_another_output_are_told(size, severity):
    figures = healthy(network(), 40)
    at_looks(figures, loss_kind=1, target_rms_beside=size)
    told = rules_and_words(figures).get("target_scale")
    assert (told and told.severity) == severity
    assert severity is None or f"one of several outputs have a root mean square of {size:.3g}" in (
        told.explanation
    )


@pytest.mark.parametrize(
    ("cuts", "best", "last", "severity"),
    [
        (2, 1.4, 0.5, "warning"),
        (2, 0.4, 0.5, "note"),  # it may be an accuracy
        (0, 1.4, 0.5, None),
        (2, 1.4, 2.3, None),
        (-2, 0.4, 1.4, "warning"),
        (-2, 1.4, 1.4, None),  # a held-out loss that rises from the start
        (-2, 1.0, 1.4, None),
    ],
)
def test_cuts_for_want_of_a_better_value_are_told_where_the_loss_falls(cuts, best, last, severity):
    figures = healthy(network(), 240)
    figures["loss"][:] = np.linspace(2.3, last, 240)
    figures["cuts_in_vain"][100::10], figures["vain_best"][100::10] = cuts, best
    at_looks(figures, loss_kind=Loss.CROSS_ENTROPY, loss_reduction=1, outputs=10)
    found = rules_and_words(figures).get("learning_rate_gone")
    mode = "max" if cuts > 0 else "min"
    assert (found and found.severity) == severity
    assert severity is None or f"mode='{mode}') has cut the learning rate 2 times" in (
        found.explanation
    )


@pytest.mark.parametrize(
    ("drawn", "returned", "words"),
    [(2, 2, None), (3, 0, "drawn anew"), (0, 3, "bit for bit"), (4, 5, "drawn anew")],
)
def test_weights_that_are_written_three_times_between_steps_are_told(drawn, returned, words):
    figures = healthy(network(), 120)
    figures["weights_drawn"][::10], figures["weights_returned"][::10] = drawn, returned
    figures["loss"][:] = 1.3
    found = rules_and_words(figures).get("weights_overwritten")
    assert (found is not None) == (words is not None)
    assert words is None or (words in found.explanation and found.severity == "warning")


@pytest.mark.parametrize(("drawn", "told"), [([], None), ([2, 4], "(2 layers)")])
def test_normalisations_that_begin_about_0_are_told(drawn, told):
    figures = healthy(network(), 120)
    figures["weights_drawn"][::10] = 0
    figures["untrained"][::10, drawn] = 7
    found = rules_and_words(figures).get("weights_overwritten")
    assert (found is not None) == (told is not None)
    assert told is None or (told in found.explanation and found.severity == "warning")
    assert told is None or found.threshold == 0  # by which it is known in hindsight


def test_weights_that_come_back_in_a_run_that_learns_are_a_note():
    figures = healthy(network(), 120)
    figures["weights_drawn"][::10], figures["weights_returned"][::10] = 0, 0
    figures["weights_returned"][80::10] = 3
    figures["loss"][:] = np.linspace(1.3, 0.1, 120)
    assert rules_and_words(figures)["weights_overwritten"].severity == "note"


@pytest.mark.parametrize(
    ("figure", "value", "words"),
    [
        ("input_blank", 0.5, None),
        ("input_blank", 0.6, "one number throughout"),
        ("token_share", 0.89, None),
        ("token_share", 0.91, "one and the same"),
        ("batch_of", 512, "the same batch"),
        ("twins_differ", 0.29, None),
        ("twins_differ", 0.31, "with another label"),
    ],
)
def test_inputs_that_repeat_are_told_with_what_they_are(figure, value, words):
    figures = healthy(network(), 120)
    figures[figure][::10] = value
    figures["loss"][:] = 1.3
    found = rules_and_words(figures).get("inputs_repeat")
    assert (found is not None) == (words is not None)
    if words is not None:
        assert words in found.explanation
        assert (found.severity, found.value) == ("warning", pytest.approx(value))


def test_inputs_that_repeat_are_told_of_from_three_looks_on():
    for looks, told in ((2, False), (3, True)):
        figures = healthy(network(), 120)
        figures["input_blank"][: 10 * looks : 10] = 0.6
        assert ("inputs_repeat" in rules_and_words(figures)) == told


def test_of_a_network_of_pictures_and_tokens_the_tokens_are_told_with_their_own_share():
    figures = healthy(network(), 120)
    figures["input_blank"][::10], figures["token_share"][::10] = 0.6, 0.95
    told = rules_and_words(figures)["inputs_repeat"]
    assert "95% of the tokens" in told.explanation


def test_blank_samples_are_a_note_where_the_loss_is_down_to_half():
    figures = healthy(network(), 120)
    figures["input_blank"][::10] = 0.6
    figures["loss"][:] = 1.3
    figures["loss"][60:] = 0.3
    assert rules_and_words(figures)["inputs_repeat"].severity == "note"


@pytest.mark.parametrize(
    ("entries", "statistics", "severity"), [(0, 0, None), (1, 0, "note"), (3, 1, "warning")]
)
def test_one_module_several_times_in_a_list_is_told(figures, entries, statistics, severity):
    figures["modules_repeated"][::10], figures["statistics_repeated"][::10] = entries, statistics
    found = rules_and_words(figures).get("modules_repeated")
    assert (found and found.severity) == severity


def test_where_no_weight_moves_no_rate_is_called_too_small():
    figures = healthy(network(), 120)
    figures["update_to_weight"][:], figures["weight_grad_rms"][:] = 0, 0
    figures["loss"][:] = 3 + 1e-3 * np.cos(np.arange(120))
    told = rules_and_words(figures)["loss_not_falling"]
    assert "bit for bit" in told.explanation
    assert "times what it is" not in told.remedy
    figures["weight_rms"][:] += 1e-3 * (np.arange(120) // 4)[:, np.newaxis]
    assert "loss_not_falling" not in found(figures)  # steps came between those that were measured


def test_a_loss_that_steps_have_thrown_up_asks_for_no_larger_steps():
    figures = healthy(network(), 200)
    figures["update_to_weight"][:] = 10**-4.8
    figures["loss"][:] = 3 + 1e-3 * np.cos(np.arange(200))
    figures["loss"][20:60] = 30
    told = rules_and_words(figures)["loss_not_falling"]
    assert "thrown the loss up" in told.explanation
    assert "a tenth of what it is" in told.remedy


def test_a_loss_that_is_back_above_its_start_is_not_said_to_fall():
    figures = healthy(network(), 140)
    figures["update_to_weight"][:] = 10**-3.8
    figures["loss"][:20], figures["loss"][20:50], figures["loss"][50:] = 3, 2, 3.1
    told = rules_and_words(figures)["loss_not_falling"]
    assert told.value > 1
    assert "still 10" in told.explanation


def test_weights_that_are_not_finite_are_blamed_on_an_epsilon_that_their_type_cannot_hold():
    for lost, words in ((1.0, "eps is 0 in float16"), (0.0, "the step before made them so")):
        figures = healthy(network())
        figures["epsilon_lost"][0] = lost
        figures["activation_nonfinite"][1:, 1:] = 7
        figures["weight_nonfinite"][1:, 1] = 7
        assert words in rules_and_words(figures)["not_finite"].explanation


@pytest.mark.parametrize("lost", [0.0, 1.0])
def test_weights_that_are_not_finite_before_the_first_step_are_blamed_on_no_step(lost):
    figures = healthy(network())
    figures["epsilon_lost"][0] = lost
    figures["activation_nonfinite"][:, 1:] = figures["weight_nonfinite"][:, 1] = 7
    told = rules_and_words(figures)["not_finite"]
    assert "before the very first step" in told.explanation
    assert "optimizer" not in told.remedy
    assert "torch.empty" in told.remedy


def test_of_a_layer_that_is_not_finite_no_spread_and_no_gradient_is_judged(figures):
    figures["activation_std"][1:, 1] = 0
    figures["weight_grad_rms"][1:, 1] = 0
    assert {"idle", "no_gradient"} <= set(found(figures))
    figures["activation_nonfinite"][1:, 1] = figures["weight_grad_nonfinite"][1:, 1] = 7
    assert not {"idle", "no_gradient"} & set(found(figures))


FALLS_ON = np.linspace(3, 2.5, 200)


@pytest.mark.parametrize(
    ("losses", "update", "attends", "told"),
    [
        (FALLS_ON, 8e-4, False, True),
        (FALLS_ON, 2e-3, False, False),  # it has come some way
        (FALLS_ON, 8e-4, True, False),
        (np.maximum(FALLS_ON, 2.8), 8e-4, False, False),  # it has come to an end
        (np.linspace(3, 2.1, 200), 8e-4, False, False),
    ],
)
def test_a_loss_that_falls_on_while_weights_hardly_move_falls_too_slowly(
    losses, update, attends, told
):
    figures = healthy(network(), 200)
    figures["loss"][:], figures["update_to_weight"][:] = losses, update
    figures["attention_entropy"][::10, 2] = 0.9 if attends else math.nan
    found = rules_and_words(figures).get("loss_not_falling")
    assert (found is not None) == told
    assert not told or (found.step, found.value > 0.8) == (159, True)
    assert not told or "steadily" in found.explanation


@pytest.mark.parametrize(("last", "told"), [(1.7, True), (1.4, False)])
def test_a_loss_that_is_above_half_after_long_is_told_where_steps_fade(last, told):
    figures = healthy(network(), 400)
    figures["loss"][:] = 3 - (3 - last) * np.sqrt(np.arange(400) / 340)
    figures["update_to_weight"][:] = 1e-4
    figures["loss"][:100] = np.minimum(figures["loss"][:100], 2.4)  # not so from the start on
    figures["loss"][:5] = 3
    assert ("loss_not_falling" in found(figures)) == told


def test_a_loss_of_hundreds_at_the_start_is_mended_by_no_few_steps():
    layers = tuple(replace(facts, width=(50, 50)) for facts in network())
    figures = healthy(layers)
    figures["weight_rms"][:], figures["input_rms"][0] = 0.2, 1.0  # Kaiming's
    figures["loss_kind"][0], figures["loss"][0] = Loss.BINARY_LOGITS, 300.0
    figures["output_rms"][0] = figures["loss_reduction"][0] = 1.0
    assert "recurrence" in rules_and_words(figures)["overconfident_start"].remedy
    figures["loss"][0] = 60.0
    assert rules_and_words(figures)["overconfident_start"].severity == "note"


@pytest.mark.parametrize(("embeds", "told"), [(False, True), (True, False)])
def test_inputs_that_are_all_zero_are_told_unless_there_are_tokens_too(embeds, told):
    layers = network()
    first = replace(layers[0], module="Embedding") if embeds else layers[0]
    figures = healthy((first, *layers[1:]))
    figures["input_rms"][::10] = figures["input_largest"][::10] = 0.0
    found = rules_and_words(figures).get("input_scale")
    assert (found is not None) == told
    assert not told or "exactly 0" in found.explanation


@pytest.mark.parametrize(("width", "told"), [((1, 1), False), ((2, 4), True)])
def test_a_weight_on_its_way_to_the_other_sign_does_not_decay(width, told):
    layers = tuple(replace(facts, width=width) for facts in network())
    figures = healthy(layers, 80)
    figures["weight_rms"][30:70] *= 0.05
    assert ("weights_decay_to_zero" in found(figures)) == told


@pytest.mark.parametrize(
    ("loss", "norm", "told"), [(0.0, 1.0, True), (7e-8, 0.0, True), (7e-8, 1e-9, False)]
)
def test_a_cross_entropy_of_one_output_may_be_cut_off_next_to_zero(figures, loss, norm, told):
    figures["loss"][:], figures["loss_kind"][::10], figures["outputs"][::10] = loss, 0, 1
    at_looks(figures, output_min=0.2, output_max=0.7, gradient_norm=norm)
    assert ("softmax_of_one" in found(figures)) == told


@pytest.mark.parametrize(
    ("told", "of_warm_up"),
    [
        (True, {}),
        (False, {"planned": np.nan}),
        (False, {"planned": 6000}),  # it will be at 0.6 of what was asked for
        (False, {"asked": 1e-5}),
        (False, {"power": 2}),  # it will rise faster
    ],
)
def test_a_warm_up_that_is_longer_than_the_training_is_told(figures, told, of_warm_up):
    about = {"planned": 228, "asked": 1e-3, "power": 1} | of_warm_up
    figures["learning_rate"][:] = 1e-3 * (np.arange(60) / 10_000) ** about["power"]
    figures["rate_asked"][::10], figures["planned_steps"][::10] = about["asked"], about["planned"]
    finding = rules_and_words(figures).get("learning_rate_gone")
    assert (finding is not None) == told
    if finding is not None:
        assert (finding.severity, finding.step) == ("warning", 0)
        assert "2.3% of what was asked for" in finding.explanation


@pytest.mark.parametrize(
    ("rule", "figure", "value"),
    [
        ("saturated", "saturated", 0.9),
        ("dead_units", "dead_units", 90.0),
        ("collapsed", "unit_spread", 0.001),
    ],
)
@pytest.mark.parametrize("without_parameters", [False, True])
def test_what_becomes_of_a_policys_baseline_is_a_note(rule, figure, value, without_parameters):
    layers = tuple(replace(each, can_die=True) for each in network())
    figures = healthy(layers)
    figures[figure][10:, 2:] = value
    assert rules_and_words(figures)[rule].severity != "note"
    figures["baseline"][::10] = [0, 0, 1, np.nan if without_parameters else 1, 1, 1]
    assert rules_and_words(figures)[rule].severity == "note"
    assert {each.severity for each in Judge(layers).look(figures) if each.rule == rule} == {"note"}
    figures["baseline"][::10, 2:4] = 0
    assert rules_and_words(figures)[rule].severity != "note"


@pytest.mark.parametrize(("judge", "told"), [(1.0, False), (0.0, True)])
def test_the_loss_of_a_maker_rises_as_its_judge_learns(figures, judge, told):
    figures["judge_asks"][0] = judge
    figures["loss"][:] = np.where(np.arange(60) < 20, 0.7, 6.3)
    assert ("loss_diverged" in found(figures)) is told


@pytest.mark.parametrize("of_rewards", [False, True])
def test_the_size_of_a_loss_of_rewards_is_no_divergence(figures, of_rewards):
    figures["loss"][:20], figures["loss"][20:], figures["of_rewards"][::10] = 1, 50, of_rewards
    assert ("loss_diverged" in rules_and_words(figures)) != of_rewards


@pytest.mark.parametrize(("at_the_end", "severity"), [(0.7, "note"), (0.9, "warning")])
def test_a_loss_that_has_begun_to_fall_late_is_a_note(at_the_end, severity):
    figures = healthy(network(), steps=300)
    noise = 0.001 * np.random.default_rng(0).normal(size=300)
    figures["loss"][:] = np.interp(np.arange(300), [0, 130, 250], [1, 1, at_the_end]) + noise
    assert found(figures)["loss_not_falling"][0] == severity


@pytest.mark.parametrize(("largest", "told"), [(0.7, True), (0.6, False)])
def test_an_error_at_the_variance_of_targets_that_are_nearly_all_0_is_told_of_by_small_steps_too(
    largest, told
):
    figures = healthy(network(), 260)
    figures["loss"][:], figures["loss"][:20] = 0.01, 0.03
    figures["update_to_weight"][:] = 1e-5
    figures["loss_kind"][::10], figures["loss_reduction"][::10] = 6, 1
    figures["target_std"][::10] = figures["target_rms"][::10] = 0.1
    figures["target_min"][::10], figures["target_max"][::10] = 0, largest
    assert ("labels_without_signal" in found(figures)) == told
    figures["loss"][200:] = 0.008
    figures["loss"][20:200] = np.linspace(0.03, 0.008, 180)  # it passes by
    assert "labels_without_signal" not in found(figures)


@pytest.mark.parametrize(
    ("moved", "apart", "rows", "level"),
    [
        *((1.0, 0.3, 4, "warning"), (1.0, 0.3, 5, None), (0.4, 0.3, 1, "warning")),
        *((2.5, 0.2, 1, "note"), (0.4, 0.3, 32, "note")),
        *((0.6, 0.2, 1, None), (1.9, 0.2, 1, None), (np.nan, np.nan, 1, None)),
    ],
)
def test_frozen_norms_that_go_on_by_few_samples_are_warned_of_and_by_more_noted(
    figures, moved, apart, rows, level
):
    at_looks(figures, frozen_variance=moved, frozen_apart=apart, input_rows=rows)
    assert found(figures).get("running_statistics", [None])[0] == level
    figures["norm_momentum"][::10] = 0.1  # of others, which are trained
    said = rules_and_words(figures).get("running_statistics")
    assert (said and said.severity) == level
    words = f"off by {apart:.2g}" if level == "warning" else f"{moved:.2g} times"
    assert said is None or words in said.explanation


@pytest.mark.parametrize(
    ("momentum", "samples", "level"),
    [(0.99, 32, "warning"), (0.99, 33, "note"), (0.6, 14, "warning"), (0.6, 15, "note")],
)
def test_running_statistics_of_the_last_few_values_are_warned_of(momentum, samples, level):
    figures = healthy([replace(facts, by_batch=True) for facts in network()])
    figures["norm_momentum"][::10] = momentum
    figures["activation_count"][:, 2] = samples * figures["units"][:, 2]
    assert found(figures)["running_statistics"][0] == level


@pytest.mark.parametrize(
    ("of_layer", "of_figures", "told"),
    [
        ({}, {}, True),
        ({"module": "LayerNorm"}, {}, False),
        ({"width": (8, 8)}, {}, False),
        ({"nonlinearity": "relu"}, {}, False),
        ({}, {"weight_rms": 0.0}, False),
        ({}, {"zeros": 0.99}, False),
        ({}, {"before": 1.0}, False),
    ],
)
def test_a_norm_of_ones_own_that_makes_zeros_of_what_is_not_is_named(of_layer, of_figures, told):
    layers = list(network())
    own = {"module": "Norm", "nonlinearity": None, "bounds": None, "weights": ("weight",)}
    layers[2] = replace(layers[2], **own | of_layer)
    figures = healthy(layers)
    values = {"zeros": 1.0, "weight_rms": 1.0, "before": 0.0} | of_figures
    figures["zeros"][:, 1] = values.pop("before")
    for figure, value in values.items():
        figures[figure][:, 2] = value
    finding = rules_and_words(figures).get("collapsed")
    assert (finding is not None) == told
    assert not told or (finding.layer, finding.severity) == (layers[2].name, "warning")


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"input_rms": 1.0, "input_feature_spread": 0.0}, "so its inputs must be"),
        ({"input_rms": 1.0, "input_feature_spread": 0.9}, "computed before it"),
        ({"input_rms": 1.0}, "so its inputs must be"),  # of few samples nothing is known
        ({}, "computed before it"),  # no layer gets the data themselves
    ],
)
def test_a_first_layer_that_gets_the_same_of_data_that_differ_gets_what_was_made_of_them(
    figures, inputs, words
):
    for figure in ("input_rms", "input_feature_spread"):
        figures[figure][:] = np.nan
        figures[figure][::10] = inputs.get(figure, np.nan)
    figures["unit_spread"][3:, 5] = 0.0
    assert words in rules_and_words(figures)["collapsed"].explanation


@pytest.mark.parametrize(
    ("begins", "loss", "told"),
    [(5.0, 1.5, "warning"), (5.0, 0.9, None), (2.5, 1.5, None), (20.0, 1.5, "warning")],
)
def test_outputs_that_began_far_from_their_targets_and_have_not_come_below_the_mean(
    begins, loss, told
):
    layers = tuple(replace(facts, width=(50, 50)) for facts in network())
    for steps in (70, 200):
        figures = healthy(layers, steps)
        figures["weight_rms"][:] = 0.2  # Kaiming's
        figures["loss"][:] = loss + begins**2 * np.exp(-np.arange(steps) / 5)
        for figure, value in {
            "loss_kind": float(Loss.SQUARED_ERROR),
            "loss_reduction": 1.0,
            "target_std": 1.0,
            "target_rms": 1.0,
            "output_rms": begins,
            "input_rms": 1.0,
        }.items():
            figures[figure][::10] = value
        said = rules_and_words(figures).get("overconfident_start")
        if steps == 70:
            assert (said and said.severity) == ("note" if begins > 10 else None)
    assert (said and said.severity) == told
    if told:
        assert said.step == 0
        assert "still above" in said.explanation


@pytest.mark.parametrize(("end", "severity"), [(0.1, "note"), (0.6, "warning"), (1.5, "warning")])
def test_a_network_that_outputs_far_from_their_targets_held_up_may_learn_late(end, severity):
    """As one whose rate is small for the size that its inputs have."""
    layers = tuple(replace(facts, width=(50, 50)) for facts in network())
    figures = healthy(layers, 400)
    figures["weight_rms"][:] = 0.2  # Kaiming's
    figures["loss"][:] = end + (26.5 - end) * np.exp(-np.arange(400) / 60)
    usual = {"loss_kind": float(Loss.SQUARED_ERROR), "loss_reduction": 1.0, "target_std": 1.0}
    for figure, value in (usual | {"target_rms": 1.0, "output_rms": 5.0, "input_rms": 1.0}).items():
        figures[figure][::10] = value
    assert rules_and_words(figures)["overconfident_start"].severity == severity


@pytest.mark.parametrize(("places", "told"), [(1, "note"), (4, None)])
def test_rows_that_were_scaled_one_by_one_are_a_note_and_the_cause_of_what_is_not_learned(
    places, told
):
    for steps in (40, 200):
        figures = healthy(network(), steps)
        samples = figures["activation_count"][0, 0] / figures["units"][0, 0] / places
        at_looks(figures, input_rms=1.0, input_rows_one=2.0, samples=samples)
        figures["loss"][:], figures["label_entropy"][::10] = 2.3, 2.3
        found = rules_and_words(figures)
        if told is None or steps == 40:
            assert (found.get("input_scale") and found["input_scale"].severity) == told
    if told:
        assert found["input_scale"].severity == "warning"
        assert found["loss_not_falling"].because == "input_scale"


@pytest.mark.parametrize(("zeros", "told"), [(0.9, False), (0.5, True)])
def test_what_a_dropout_has_left_of_the_inputs_is_judged_as_it_was_before(figures, zeros, told):
    at_looks(figures, input_rms=12.0, input_zeros=zeros, dropout=0.9)
    assert ("input_scale" in rules_and_words(figures)) == told


def test_a_binary_loss_of_a_softmax_is_told_by_the_sums_of_its_targets():
    figures = healthy(network(), 40)
    at_looks(figures, loss_kind=0, outputs=5, output_rows_one=1)
    assert "target_out_of_range" not in rules_and_words(figures)
    figures["target_sum"][::10] = 1.5
    assert "add up to 1" in rules_and_words(figures)["target_out_of_range"].explanation
    figures["output_rows_one"][::10] = 0
    assert "target_out_of_range" not in rules_and_words(figures)


@pytest.mark.parametrize(
    ("kind", "update", "told"),
    [(1, 1e-5, True), (6, 1e-5, True), (0, 1e-5, False), (1, 1e-3, False)],
)
def test_noise_of_a_loss_that_adds_up_known_ones_hides_no_steps_that_are_too_small(
    kind, update, told
):
    """A loss of several terms has no reduction; of other losses, as a game's, noise may be all."""
    figures = healthy(network(), 200)
    figures["loss"][:] = 2 + np.random.default_rng(0).normal(0, 0.4, 200)
    figures["loss_kind"][::10], figures["output_alone"][::10] = kind, 0
    figures["update_to_weight"][:] = update
    assert ("loss_not_falling" in found(figures)) == told


def test_steps_that_are_leaps_in_one_layer_do_not_go_the_wrong_way():
    for leap, told in ((0.09, True), (0.2, False)):
        figures = healthy(network(), 120)
        figures["loss"][:], figures["update_to_weight"][:] = np.linspace(3, 6, 120), 1e-3
        figures["update_to_weight"][5, -1] = leap
        assert ("loss_rising" in found(figures)) == told


def test_units_that_are_dead_at_the_networks_end_are_no_matter_of_an_init():
    for last in (False, True):
        layers = (*network()[:-1], replace(layer(9, "relu"), last=last))
        figures = healthy(layers, 40)
        figures["dead_units"][:, -1], figures["zeros"][:, -1] = figures["units"][:, -1], 1
        assert ("no such function" in rules_and_words(figures)["dead_units"].remedy) == last


@pytest.mark.parametrize(("end", "severity"), [(4.0, "warning"), (3.4, "warning"), (2.0, "note")])
def test_a_loss_that_rose_and_comes_down_again_did_not_go_the_wrong_way(end, severity):
    figures = healthy(network(), 200)
    figures["loss"][:] = np.r_[
        np.linspace(2.5, 4.0, 80), np.linspace(4.0, end, 90), np.full(30, end)
    ]
    figures["loss"][:] += np.random.default_rng(0).normal(0, 0.01, 200)
    figures["update_to_weight"][:] = 1e-2
    told = found(figures)
    assert (told["loss_rising"][0], told["loss_not_falling"][0]) == (severity, severity)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({}, "a margin"),
        ({"output_min": -0.1}, "whole numbers"),
        ({"output_function": LastFunction.SIGMOID}, "whole numbers"),
        ({"target_std": 0.8}, "whole numbers"),  # other numbers between them
        ({"target_min": 1.0}, "whole numbers"),
    ],
)
def test_an_error_of_0_and_one_number_of_what_is_never_below_0_is_one_of_pairs(about, words):
    figures = healthy(network(), 300)
    figures["loss"][:] = 1 + np.random.default_rng(0).normal(0, 0.01, 300)
    figures["loss"][:5] += 0.05
    figures["update_to_weight"][:] = 2e-3
    for figure, value in {
        "loss_kind": Loss.SQUARED_ERROR,
        "loss_reduction": 1.0,
        "target_fraction": 0.0,
        "target_min": 0.0,
        "target_max": 2.0,
        "target_std": 1.0,
        "target_rms": 2**0.5,
        "outputs": 1,
        "output_min": 0.1,
        "output_function": LastFunction.NONE,
        **about,
    }.items():
        figures[figure][::10] = value
    if "target_std" in about:
        figures["loss"][:] *= 0.64
    assert words in rules_and_words(figures)["labels_without_signal"].explanation


@pytest.mark.parametrize(
    ("slopes", "told"),
    [
        (lambda at: 0.05 * at, True),
        (lambda at: 2.9 + 0 * at, False),  # it is bounded
        (lambda at: 8 + 0 * at, False),  # where it is clipped
        (lambda at: 0.05 * at * (at % 30 > 0), False),  # in some looks alone
    ],
)
def test_a_critic_that_is_ever_steeper_is_held_by_nothing(slopes, told):
    figures = healthy(network(), 200)
    figures["loss"][:] = -1.0
    figures["critic_slope"][::10] = slopes(np.arange(0.0, 200, 10))
    found = rules_and_words(figures)["negative_loss"]
    assert found.severity == ("warning" if told else "note")
    assert ("critic's scores" in found.explanation) == told


@pytest.mark.parametrize(
    ("entropy", "spread", "severity"),
    [(1.0, 1e-7, "warning"), (0.999, 1e-7, "note"), (1.0, 0.5, "note"), (np.nan, 1e-7, "note")],
    ids=["alike", "chooses", "differ", "one place"],
)
def test_a_layer_that_is_fed_zeros_is_ill_where_an_attention_gets_the_same_at_each_place(
    entropy, spread, severity
):
    layers = [layer(0, None), layer(1, None, fed=True), layer(2, None, fed=True), layer(5, None)]
    layers += [LayerFacts("02_linear/attention", "02_linear", "attention", weights=())]
    figures = healthy(tuple(layers))
    figures["weight_grad_rms"][:, 0] = figures["unit_spread"][:, 0] = 0
    figures["unit_spread"][:, 2] = spread
    figures["attention_entropy"][::10, 4] = entropy
    told = rules_and_words(figures)["no_gradient"]
    assert (told.severity, told.layer) == (severity, "00_linear")
    assert ("at each place" in told.explanation) == (severity == "warning")


@pytest.mark.parametrize(
    ("kind", "beyond", "told"), [(0, 0.5, True), (0, 0.04, False), (6, 0.5, False)]
)
def test_targets_of_an_error_beside_other_terms_are_told_where_the_loss_is_of_no_known_kind(
    figures, kind, beyond, told
):
    at_looks(figures, loss_kind=kind, output_function=1, target_beyond=beyond)
    finding = rules_and_words(figures).get("target_out_of_range")
    assert (finding is not None) == told
    assert not told or "beside other terms" in finding.explanation


@pytest.mark.parametrize(
    ("kind", "told", "severity"),
    [
        (6, {"target_max": 1.3, "target_std": 1.0}, "warning"),
        (6, {"target_max": 1.1, "target_std": 1.0}, "note"),
        (6, {"target_max": 1.0, "target_std": 1.0}, None),
        (6, {"target_max": 1.3, "target_std": 1.0, "output_high": np.inf}, None),
        (0, {"target_beyond": 0.3}, "warning"),
        (0, {"target_beyond": 0.04}, None),
    ],
)
def test_targets_beyond_a_clamp_are_told(kind, told, severity):
    figures = healthy(network())
    usual = {"loss_kind": kind, "target_min": 0.5, "output_low": 0.0, "output_high": 1.0}
    for name, value in (usual | told).items():
        figures[name][::10] = value
    finding = rules_and_words(figures).get("target_out_of_range")
    assert (finding and finding.severity) == severity
    assert finding is None or "that a clamp, or a function" in finding.explanation


@pytest.mark.parametrize(("looks", "told"), [((1, 1, 1), True), ((1, 1, 0), False)])
def test_a_term_that_is_cut_off_from_what_is_trained_is_told_in_three_looks(figures, looks, told):
    figures["number_added"][::10] = 0
    figures["term_cut_off"][: len(looks)] = looks
    finding = rules_and_words(figures).get("penalty_without_gradient")
    assert (finding is not None) == told
    assert not told or "another network" in finding.explanation


@pytest.mark.parametrize("end", [True, False])
def test_a_head_that_no_loss_looks_at_may_be_a_term_that_is_left_out(end):
    layers = [layer(0, None), layer(1, None, fed=True, end=end), layer(2, None, fed=True)]
    figures = healthy(tuple(layers))
    figures["weight_grad_rms"][:, 1] = np.nan
    figures["no_gradient"][::10] = [0, 1, 0]
    told = rules_and_words(figures)["no_gradient"]
    assert (told.severity, told.layer) == ("note", "01_linear")
    assert ("has a term for each output" in told.remedy) == end


@pytest.mark.parametrize(
    ("times", "averaged", "told"),
    [(205.0, 0.0, True), (205.0, 1000.0, False), (1.0, 0.0, False), (np.nan, 0.0, False)],
)
def test_a_loss_that_is_a_sum_and_not_finite_is_told_as_both_from_one_look_on(
    times, averaged, told
):
    figures = healthy(network())
    figures["loss_reduction"][0], figures["samples"][0], figures["outputs"][0] = times, 205, 10
    figures["squares_averaged"][0], figures["loss"][2:] = averaged, np.inf
    finding = rules_and_words(figures)["loss_not_finite"]
    assert ("a sum over the batch, 205 times the mean" in finding.explanation) == told
    assert ("reduction='mean'" in finding.remedy) == told
    assert finding.step == 2


@pytest.mark.parametrize(
    ("ignored", "words"),
    [(0.0, "targets that were looked at"), (0.5, "targets that the loss took"), (31 / 32, None)],
)
def test_only_samples_that_the_loss_takes_count_as_being_of_one_class(ignored, words):
    figures = healthy(network(), 300)
    looked = {"labels_seen": 1, "label": 0, "samples": 32, "ignored_share": ignored}
    for name, value in looked.items():
        figures[name][::10] = value
    finding = rules_and_words(figures).get("one_class")
    assert (finding is None) == (words is None)
    assert finding is None or words in finding.explanation


@pytest.mark.parametrize(
    ("end", "until", "severity"), [(0.2, 15, "note"), (0.6, 15, "warning"), (0.2, 75, "warning")]
)
def test_first_steps_that_were_too_large_are_a_note_once_the_task_is_solved_in_spite(
    end, until, severity
):
    figures = healthy(network(), 80)
    figures["update_to_weight"][:until, 2] = 0.13
    figures["loss"][:5], figures["loss"][5:15], figures["loss"][15:] = 3.0, 10.0, end
    assert found(figures)["update_too_large"][0] == severity


@pytest.mark.parametrize(
    ("spread", "highest", "size", "words"),
    [
        (0.0, 0.5, 0.1, "so its inputs must be the same"),
        (1e-9, 0.5, 0.1, "they differ by"),
        (0.0, 0.5, 0.0, "they differ by"),  # of a bias alone
    ],
)
def test_active_units_of_a_relu_that_are_the_same_to_the_last_bit_got_the_same(
    spread, highest, size, words
):
    figures = healthy(network("relu"))
    figures["unit_spread"][:, 1:] = spread
    figures["activation_max"][:, 1], figures["weight_rms"][:, 1] = highest, size
    figures["units"][:] = 100  # 64 rows: of each of 8 samples 8 places
    figures["input_feature_spread"][::10], figures["samples"][::10] = 0.5, 8
    figures["input_rms"][::10] = 1.0
    finding = rules_and_words(figures)["collapsed"]
    assert words in finding.explanation


@pytest.mark.parametrize(("spread", "words"), [(0.0, "to the last bit"), (1e-3, "vary between")])
def test_inputs_that_are_the_same_to_the_last_bit_are_no_matter_of_scale(figures, spread, words):
    figures["input_rms"][::10] = figures["input_largest"][::10] = 1.0
    figures["input_feature_spread"][::10] = spread
    finding = rules_and_words(figures)["input_scale"]
    assert (finding.severity, words in finding.explanation) == ("note", True)
