"""A run judged as it goes on and one judged from its files have the same findings."""

from itertools import pairwise
from zlib import crc32

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_equal

from layerscope.diagnose import RULES, Figures, Judge, LayerFacts, Thresholds
from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_FIGURES

FUNCTIONS = ("tanh", "sigmoid", "relu", "softmax", None, "relu6", None)
LAYERS = tuple(
    LayerFacts(
        f"{i:02d}",
        str(i),
        "Linear",
        order=i,
        nonlinearity=function,
        bounds=(0.0, 1.0) if function in ("sigmoid", "softmax") else None,
        odd=function == "tanh",
        can_die=function == "relu",
        weights=("weight",) if i else (),
        last=i == len(FUNCTIONS) - 1,
        without_bias=i == len(FUNCTIONS) - 1,
        by_batch=i == 1,
        follows="05" if i == 6 else "",
        trainable=i > 0,
        width={3: (8, 2), 4: (2, 8)}.get(i, (8, 8)),
        frozen_in_name="2" if i == 2 else None,
        skipped=0.75 if i == 5 else 0.0,
    )
    for i, function in enumerate(FUNCTIONS)
) + tuple(
    LayerFacts(f"blocks.{i}/add", f"blocks.{i}", "Block", stream="blocks", stream_depth=i)
    for i in range(4)
)
LAYERS += (LayerFacts("00/forget", "0", "gate", trainable=False),)
EAGER = Thresholds(lasting=3, warm_up=4, patience=25)


_FLAGS = (
    *("owned", "no_gradient", "targets_broadcast", "output_rows_one", "output_columns_one"),
    *("inputs_normalized", "gradients_kept", "loss_negated", "softmax_over_samples", "maximize"),
    *("unregistered", "made_anew", "loss_activated", "along_batch", "output_alone"),
)


def erratic(seed, steps):
    """Figures that jump between healthy, sick and unknown, and stay so for some steps."""

    def draws(name):
        """Of each figure its own: one more figure changes no other."""
        return np.random.default_rng([seed, crc32(name.encode())])

    figures = Figures.empty(LAYERS, range(steps))
    scale = {"activation_count": 6400, "units": 100, "dead_units": 60, "silent_units": 60}
    scale |= {"stream_rms": 1e4, "expert_tokens": 1e6}
    for name in LAYER_FIGURES:
        shape, rng = (steps // 6 + 1, len(LAYERS)), draws(name)
        values = 10.0 ** rng.uniform(-7, 1, shape) * scale.get(name, 1)
        if name in ("activation_count", "units"):
            values[:] = scale[name]
        if name.endswith("nonfinite"):
            values = (rng.random(shape) < 0.004) * 5.0
        if name == "dead_since":
            values = rng.integers(0, 5, shape).astype(float)
        if name == "inputs_finite":
            values = rng.integers(0, 2, shape).astype(float)
        figures[name][:] = np.repeat(values, 6, axis=0)[:steps]
        figures[name][rng.random((steps, len(LAYERS))) < 0.1] = np.nan
    for name in STEP_FIGURES:
        figures[name][:] = 10.0 ** draws(name).uniform(-1, 1, steps)
    rng = draws("the rest")
    for name in _FLAGS:
        figures[name][:] = rng.integers(0, 2, figures[name].shape)
    for name in ("dropout", "evaluation_share", "update_lost"):
        figures[name][:] = np.round(rng.random(figures[name].shape) * 1.2, 1).clip(0, 1)
    figures["untrained"][:] = np.nan
    figures["untrained"][:, 0] = 1 if seed % 2 else np.nan
    figures["latent_cut"][:] = rng.integers(0, 3, steps) if seed % 2 else 0
    figures["views_mixed"][:] = figures["loss_activated"] * (3 if seed % 2 else 1)
    figures["axes_mixed"][:] = figures["along_batch"]
    figures["bootstrapped"][:] = figures["loss_negated"]
    figures["against_itself"][:] = figures["targets_are_inputs"][:] = figures["loss_activated"]
    figures["uncalled_targets"][:] = 40 * figures["loss_activated"]
    figures["uncalled_share"][:], figures["uncalled_class"][:] = 0.1, 1
    figures["logit_scale"][:] = np.where(seed % 3 == 0, 0.05, np.nan)
    if seed % 4:  # of another loss than a contrastive one
        figures["candidates"][:] = np.nan
    figures["judge_asks"][:] = figures["maker_asks"][:] = figures["loss_activated"]
    figures["weight_row_spread"][:] = rng.integers(0, 3, figures["weight_row_spread"].shape)
    for name, highest in (
        *(("loss_kind", 8), ("output_function", 9)),
        *(("labels_seen", 3), ("optimizer", 1), ("optimizers", 2), ("beta_ratio", 3)),
    ):
        figures[name][:] = rng.integers(0, highest, steps)
    figures["squares_averaged"][:] = figures["beta_ratio"]
    if seed % 2:
        figures["labels_new"][:] = rng.choice([np.nan, 0, 0, 0.5], steps)
    figures["cuts_in_vain"][:] = 3 * (seed % 5 == 2) - 3 * (seed % 5 == 3)
    figures["vain_best"][:] = 0.1
    if seed % 3:
        figures["input_nonfinite"][:] = 0
    figures["latent_active"][:] = rng.choice([0.0, 0.0, 0.5])
    figures["returns_zero"][:] = seed % 7 == 1
    figures["label"][:] = figures["input_far_column"][:] = figures["input_far_value"][:] = 3
    figures["samples"][:], figures["outputs"][:] = 64, 5
    figures["loss_floor"][:] = rng.choice([0.0, 0.1], steps)
    for name in ("attention_entropy", "attention_entropy_lowest"):
        figures[name][:] = np.round(figures[name] * 7, 1).clip(0, 1)
    figures["attention_logit"][10:] *= 3000
    figures["attention_scale"][:] = 0.01
    figures["loss_reduction"][:] = rng.choice([1.0, 64.0])
    for name in ("input_rms", "target_rms"):
        figures[name][:] *= rng.choice([1.0, 1000.0])
    figures["input_largest"][:] = figures["input_rms"] * 2
    if seed % 3 == 0:  # calm enough for rules that ask for a steady loss
        figures["loss"][:] = np.linspace(1, rng.choice([1.0, 1.4, 9.0]), steps) + rng.normal(
            0, 1e-3, steps
        )
        figures["update_to_weight"][:] = rng.choice([1e-3, 1e-2])
        figures["label_entropy"][:] = 1.0
        figures["target_rms"][:] = figures["target_rms"][0]  # or its targets have grown
        figures["loss_beside"][:] = np.nan  # or a penalty has grown
        figures["loss"][:3] += rng.choice([0.0, 0.2])
        if seed % 12 == 0:  # it has learned how often each class comes
            figures["loss"][:] = 1 + rng.normal(0, 1e-3, steps)
            figures["loss"][:3] += 0.2
        figures["gradients_late"][:] = figures["gradients_cleared"][:] = seed % 2
    if seed % 5 == 0:
        figures["output_min"][:] = figures["output_max"][:] = figures["outputs"][:] = 1
    if seed % 11 == 0:
        figures["activation_nonfinite"][:30] = 0
        figures["activation_max"][:] = figures["activation_min"][:] = 1
        figures["loss"][20:] = np.inf
    if seed % 13 == 1:
        figures["loss"][0], figures["loss_beside"][0] = 90.0, 0.0
    if seed % 7 == 0:
        figures["loss"][:] *= -1
    if seed % 10 == 4:
        figures["loss"][0] = 60.0
    if seed % 3 == 0:
        for name in ("attention_entropy", "attention_entropy_lowest"):
            figures[name][:] = np.nan
    if seed % 8 == 0:
        figures["gradient_norm"][:] = 1e-5
        figures["dropout"][:], figures["temperature"][:] = 0, 20
    figures["attention_to_padding"][:] = figures["loss_activated"][:, np.newaxis]
    figures["attention_by_view"][:] = figures["loss_negated"][:, np.newaxis]
    figures["attention_placeless"][:] = figures["attention_by_view"]
    figures["order_read"][:] = figures["slopes_taken"][:] = float(seed % 5 == 1)
    figures["gradients_changed"][:] = figures["targets_fed"][:] = figures["loss_negated"]
    figures["slopes_plain"][:] = figures["number_added"][:] = figures["loss_activated"]
    figures["loss_of_earlier"][:] = figures["loss_activated"]
    if seed % 7 == 3:
        figures["error_mean"][:], figures["output_function"][:] = 0.95, 9
    figures["graphs_kept"][:] = 4 * figures["loss_activated"]
    figures["whole_set"][:], figures["wants_all_data"][:] = 0, figures["loss_activated"]
    figures["gate_shut"][:, -1] = 0.95
    if seed % 4 < 2:  # of no contrastive loss
        figures["candidates"][:] = np.nan
    figures["last_padding"][:] = 0.6 * figures["loss_activated"]
    figures["states_detached"][:] = figures["loss_activated"]
    figures["baseline"][:, 0] = figures["loss_activated"] * (seed % 3 > 1)
    figures["of_rewards"][:] = figures["loss_activated"] * (seed % 3 > 0)
    if seed % 9 == 0:
        figures["labels_seen"][:] = 1
    if seed % 6 == 1:  # batches of one class each, of one optimizer
        figures["batch_entropy"][:] = figures["loss_floor"][:] = figures["optimizer"][:] = 0
        figures["optimizers"][:], figures["samples"][:], figures["label_entropy"][:] = 1, 32, 1.4
    if seed % 10 == 0:  # batches of two
        figures["activation_count"][:, 1], figures["evaluation_share"][:] = 200, 0
    figures["learning_rate"][:] = 1e-3
    if seed % 4 == 1:
        figures["learning_rate"][30:] = 0.0
    figures["update_to_weight"][:, seed % len(LAYERS)] *= 1e-6
    figures["skipped"][:] = rng.random(steps) < 0.05
    figures["loss"][rng.random(steps) < 0.1] = np.nan
    return figures


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    steps=st.integers(1, 70),
    cuts=st.lists(st.integers(0, 70), max_size=8),
    saved_at=st.integers(0, 8),
)
@example(seed=0, steps=38, cuts=[], saved_at=0)  # weights whose size is first known later
@example(seed=1353, steps=27, cuts=[27], saved_at=1)  # an infinite loss that is raised
@example(seed=175, steps=21, cuts=[14], saved_at=0)  # a loss below 0 of two causes
@example(seed=3753, steps=56, cuts=[], saved_at=0)  # the level of the loss before a spike
@example(seed=5548, steps=60, cuts=[], saved_at=0)  # NaN of a step whose gradients are unknown
def test_cuts_and_checkpoints_change_no_finding(seed, steps, cuts, saved_at):
    figures = erratic(seed, steps)
    whole = Judge(LAYERS, EAGER, classes=27)
    whole.look(figures)
    one_by_one = Judge((), EAGER, classes=27)
    for step in range(steps):
        one_by_one.look(figures.of_rows(slice(step, step + 1)))
    assert one_by_one.findings == whole.findings

    in_parts = Judge(LAYERS, EAGER, classes=27)
    edges = [0, *sorted(min(cut, steps) for cut in cuts), steps]
    for number, (start, end) in enumerate(pairwise(edges)):
        if number == saved_at:
            state = in_parts.state()
            in_parts = Judge((), EAGER, classes=27)
            in_parts.load_state(state)
        in_parts.look(figures.of_rows(slice(start, end)))
    assert in_parts.findings == whole.findings


def test_cuts_change_no_bit_of_how_far_the_weights_have_moved():
    """It is in a checkpoint, and looks are taken by the clock."""
    figures = erratic(9, 60)
    whole, cut = Judge(LAYERS), Judge(LAYERS)
    whole.look(figures)
    for start, end in pairwise([0, 9, 10, 41, 60]):
        cut.look(figures.of_rows(slice(start, end)))
    moved, expected = (each.state()["shared"]["way_so_far"] for each in (cut, whole))
    assert_equal(moved["of_run"]["moved"], expected["of_run"]["moved"])


def test_the_erratic_run_shows_every_rule():
    """Or the property above would say nothing about it."""
    rules = set()
    for seed in range(75):
        judge = Judge(LAYERS, EAGER, classes=27)
        judge.look(erratic(seed, 70))
        rules |= {finding.rule for finding in judge.findings}
    assert rules == set(RULES), f"`erratic` has no figures that show {set(RULES) - rules}"
