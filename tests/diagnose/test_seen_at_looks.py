"""Rules of what a look shows, on figures: what each is told of at its limit, and beside it."""

from dataclasses import replace

import numpy as np
import pytest

from layerscope.diagnose import RULES, Figures, Judge, LayerFacts
from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.measured.last_function import LastFunction
from tests.diagnose.test_rules import at_looks, healthy, network, rules_and_words

LAYERS = network()
NARROW = {"activation_count": (2, 60)}
SQUEEZED = {"activation_count": (2, 12800), "units": (2, 400)}


def looked(layers=LAYERS, **told):
    """Figures of a healthy run whose every tenth step is looked at: numbers, or (layer, number)."""
    figures = healthy(layers)
    for figure, value in told.items():
        if isinstance(value, tuple):
            column, value = value
            figures[figure][::10, column] = value
        else:
            figures[figure][::10] = value
    return figures


OF_TWO_LOOKS = (
    *("attention_axis", "mask_inverted", "heads_mixed"),
    *("labels_by_batch", "weights_overwritten"),  # whose figures are of several looks or steps
)

ONE_CLASS = {"weighted_share": 0.91, "weighted_called": 0.91, "weighted_times": 3.1}
RARE, FREQUENT = ONE_CLASS | {"weighted_samples": 0.49}, ONE_CLASS | {"weighted_samples": 0.76}

UNEVEN = {"input_rms": 0.4, "input_largest": 1.0, "input_feature_ratio": 101.0}
PLAIN = {"slopes_plain": 1.0, "number_added": 1.0, "slopes_taken": 0.0}


@pytest.mark.parametrize(
    ("rule", "told", "severity", "words"),
    [
        ("temperature", {"temperature": 10.1}, "warning", "divided by 10.1"),
        ("temperature", {"logit_scale": 0.5, "candidates": 64.0}, "warning", "below 77% of"),
        ("temperature", {"logit_scale": 0.6, "outputs": 64.0}, "note", "below 72% of"),
        ("self_as_negative", {"against_itself": 1.0}, "warning", "most like itself"),
        ("target_is_input", {"targets_are_inputs": 1.0}, "warning", "copy"),
        ("target_is_input", {"targets_are_inputs": 2.0}, "warning", "to a hundredth"),
        ("target_is_input", {"targets_are_inputs": 1.0, **SQUEEZED}, "note", "autoencoder's"),
        ("target_is_input", {"targets_are_inputs": 2.0, **SQUEEZED}, "note", "autoencoder's"),
        ("generator_label", {"judge_asks": 1.0, "maker_asks": 1.0}, "warning", "the same way"),
        ("penalty_without_gradient", PLAIN, "warning", "without a graph"),
        ("loss_weights", {"weights_free": 1.0}, "warning", "nothing in the loss holds them"),
        ("labels_by_batch", {"labels_numbered": 6.5}, "warning", "once in 10^"),
        ("data_overwritten", {"data_overwritten": 1.0}, "warning", "gets emptier"),
        ("data_overwritten", {"data_overwritten": 2.0}, "warning", "itself changes"),
        ("weights_overwritten", {"weights_undone": 10.0}, "warning", "taken back"),
        ("target_tail", {"target_tail": 0.76}, "note", "one percent of the targets"),
        (
            "input_scale",
            {"evaluated_scale": 0.2, "input_rms": 1.0},
            "warning",
            "spread 0.2 times as widely",
        ),
        ("input_scale", UNEVEN, "note", "drowns the others"),
        ("input_scale", UNEVEN | {"input_rows_one": 1.0}, "warning", "by its own length"),
        ("target_gradient", {"bootstrapped": 1.0}, "warning", "targets"),
        ("target_gradient", {"advantage_gradient": 1.0}, "warning", "the advantage"),
        (
            "target_gradient",
            {"bootstrapped": 1.0, "advantage_gradient": 1.0},
            "warning",
            "into the targets",
        ),
        ("attention_axis", {"attention_across": (2, 1.0)}, "warning", "of 02_tanh does"),
        ("mask_inverted", {"attention_to_padding": (2, 1.0)}, "warning", "mask of 02_tanh is"),
        ("heads_mixed", {"attention_by_view": (2, 1.0)}, "warning", "the heads of 02_tanh"),
        ("states_detached", {"states_detached": 1.0}, "warning", "goes back one step"),
        ("padding_read", {"last_padding": 0.34}, "note", "34% of the steps"),
        ("padding_read", {"last_padding": 0.51}, "warning", "51% of the steps"),
        ("class_weights", {"ignored_class": 0.0, "ignored_share": 0.1}, "warning", "class 0"),
        ("graph_kept", {"graphs_kept": 3.0}, "note", "of 3 of the last"),
        ("graph_kept", {"loss_of_earlier": 1.0}, "warning", "losses of earlier steps"),
        ("loss_broadcast", {"loss_broadcasts": 1.0}, "critical", "[n] and [n, 1]"),
        (
            "next_token",
            {"target_shift": 0.0, "token_inputs": 2.0, "targets_fed": 1.0},
            "warning",
            "the decoder is fed",
        ),
        (
            "posterior_collapse",
            {"latent_drawn": 0.5, "latent_noise": 1.1},
            "warning",
            "noise of 1.1",
        ),
        ("axes_mixed", {"axes_mixed": 1.0}, "critical", "the classes and the positions"),
        ("axes_mixed", {"views_mixed": 1.0}, "critical", "parts of several samples"),
        ("axes_mixed", {"views_mixed": 2.0}, "critical", "as a channel"),
        ("axes_mixed", {"views_mixed": 3.0}, "critical", "the steps of a sequence"),
        ("class_weights", RARE, "warning", "takes nearly all samples for it"),
        (
            "loss_reduction",
            {"ignored_share": 0.875, "samples": 8.0},
            "warning",
            "that of one sample",
        ),
        ("class_weights", FREQUENT, "warning", "the most frequent one anyway"),
    ],
)
def test_what_each_look_shows_is_told_of(rule, told, severity, words):
    found = rules_and_words(looked(**told))[rule]
    assert found.severity == severity
    assert words in found.explanation
    few = looked(**told)
    for figure in told:
        few[figure][20:] = np.nan  # two looks
    assert (rule in rules_and_words(few)) == (rule in OF_TWO_LOOKS)


@pytest.mark.parametrize(("module", "severity"), [("Conv2d", "warning"), ("LSTM", "note")])
def test_a_loss_of_one_sample_is_a_note_where_rows_may_be_steps_of_a_sequence(module, severity):
    layers = (replace(LAYERS[0], module=module), *LAYERS[1:])
    figures = looked(layers, ignored_share=0.875, samples=8.0)
    assert rules_and_words(figures)["loss_reduction"].severity == severity


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("temperature", {"temperature": 10.0}),
        ("temperature", {"temperature": 0.05}),
        ("temperature", {"logit_scale": 1.1, "candidates": 64.0}),
        ("temperature", {"logit_scale": np.linspace(0.1, 0.2, 6), "candidates": 64.0}),
        ("self_as_negative", {"against_itself": 0.0}),
        ("target_is_input", {"targets_are_inputs": 0.0}),
        ("target_is_input", {"targets_are_inputs": 1.0, "dropout": 0.1}),
        ("generator_label", {"judge_asks": 1.0, "maker_asks": -1.0}),
        ("generator_label", {"judge_asks": 0.0, "maker_asks": 0.0}),
        ("generator_label", {"maker_asks": 1.0}),
        ("target_is_input", {"targets_are_inputs": 1.0, **NARROW}),
        ("target_gradient", {"bootstrapped": 0.0, "advantage_gradient": 0.0}),
        ("penalty_without_gradient", PLAIN | {"slopes_taken": 1.0}),
        ("penalty_without_gradient", PLAIN | {"slopes_plain": 0.0}),
        ("penalty_without_gradient", PLAIN | {"number_added": 0.0}),
        ("loss_weights", {"weights_free": 0.0}),
        ("target_tail", {"target_tail": 0.75}),
        ("labels_by_batch", {"labels_numbered": 6.0}),
        ("weights_overwritten", {"weights_undone": 9.0}),
        ("data_overwritten", {"data_overwritten": 0.0}),
        ("input_scale", UNEVEN | {"input_rows_one": 1.0, "input_feature_ratio": 100.0}),
        ("attention_axis", {"attention_across": (2, 0.0)}),
        ("axes_mixed", {"axes_mixed": 0.0, "views_mixed": 0.0}),
        ("mask_inverted", {"attention_to_padding": (2, 0.0)}),
        ("heads_mixed", {"attention_by_view": (2, 0.0)}),
        ("states_detached", {"states_detached": 0.0}),
        ("padding_read", {"last_padding": 0.33}),
        ("graph_kept", {"graphs_kept": 2.0, "loss_of_earlier": 0.0}),
        ("loss_broadcast", {"loss_broadcasts": 0.0}),
        ("next_token", {"target_shift": 0.0, "token_inputs": 2.0, "targets_fed": 0.0}),
        ("posterior_collapse", {"latent_drawn": 0.5, "latent_noise": 1.0}),
        ("class_weights", {"ignored_class": 0.0, "ignored_share": 0.0}),
        ("class_weights", {"ignored_class": 0.0, "ignored_share": 0.5}),
        ("loss_reduction", {"ignored_share": 0.75, "samples": 8.0}),
        ("loss_reduction", {"ignored_share": 6 / 7, "samples": 7.0}),
        *(("class_weights", RARE | {"weighted_samples": share}) for share in (0.5, 0.75)),
        ("class_weights", FREQUENT | {"weighted_times": 3.0}),
        ("class_weights", FREQUENT | {"weighted_called": 0.9}),
        ("class_weights", {"ignored_share": 0.1}),  # of no class
        *(("class_weights", RARE | {name: 0.9}) for name in ("weighted_share", "weighted_called")),
    ],
)
def test_at_its_limit_it_is_not(rule, told):
    assert rule not in rules_and_words(looked(**told))


@pytest.mark.parametrize("turns", [("judge_asks", "maker_asks"), ("maker_asks", "judge_asks")])
def test_a_generator_whose_passes_are_looked_at_in_turn_is_told_of(turns):
    figures = healthy(LAYERS)
    figures[turns[0]][:10:10] = 1.0
    figures[turns[1]][10:40:10] = 1.0
    assert rules_and_words(figures)["generator_label"].step == 10


def softmax_between(**facts):
    """A network with a softmax between its layers, [layers]."""
    layers = [replace(each, width=(8, 8)) for each in LAYERS]
    layers[2] = replace(layers[2], **{"nonlinearity": "softmax", "odd": False} | facts)
    return tuple(layers)


@pytest.mark.parametrize("facts", [{}, {"width": None}], ids=["of a layer", "a module's own"])
def test_a_softmax_between_layers_is_a_note(facts):
    found = rules_and_words(healthy(softmax_between(**facts)))["softmax_hidden"]
    assert (found.severity, found.layer) == ("note", "02_tanh")


@pytest.mark.parametrize(
    "facts",
    [
        {"nonlinearity": "sigmoid"},
        {"on_trunk": False},
        {"order": -1},
        {"width": (8, 4)},  # the next layer takes another number
        {"order": 9},  # the network's end
    ],
)
def test_other_functions_and_a_softmax_on_a_side_way_or_at_the_end_are_not(facts):
    assert "softmax_hidden" not in rules_and_words(healthy(softmax_between(**facts)))


def frozen(columns, trained=range(6), steps=60):
    layers = tuple(
        replace(each, trainable=place in trained and place not in columns)
        for place, each in enumerate(LAYERS)
    )
    figures = healthy(layers, steps)
    for column in columns:
        figures["untrained"][:, column] = 1
    return figures


@pytest.mark.parametrize(
    ("columns", "trained", "told"),
    [([0, 1], range(6), True), ([0, 2], range(6), False), ([5], range(6), False), ([0], [], False)],
    ids=["before all others", "among them", "the last", "none is trained"],
)
def test_a_frozen_body_with_random_weights_is_a_note(columns, trained, told):
    found = rules_and_words(frozen(columns, trained))
    assert ("frozen_untrained" in found) == told
    if told:
        assert (found["frozen_untrained"].severity, found["frozen_untrained"].layers) == ("note", 2)


def test_a_frozen_body_with_random_weights_is_told_of_before_a_head_of_bare_parameters():
    figures = frozen(range(5), [5])
    bare = replace(figures.layers[5], module="Parameter", order=-1)
    layers = (*figures.layers[:5], bare)
    figures = Figures(layers, figures.steps, figures.of_layers, figures.of_steps)
    assert "frozen_untrained" in rules_and_words(figures)


@pytest.mark.parametrize(("order", "told"), [(2, True), (9, False)])
def test_a_frozen_parameter_stands_where_its_module_first_gives_an_output(order, told):
    """As those of an LSTM, whose outputs are entries of their own."""
    figures = frozen([0], [4, 5])
    weight = replace(LAYERS[0], name="01_lstm.weight_hh_l0", order=-1, trainable=False)
    output = replace(LAYERS[2], name="01_lstm.0", order=order, weights=())
    layers = (weight, LAYERS[1], output, *LAYERS[3:])
    layers = tuple(
        replace(each, weights=()) if i in (1, 3) else each for i, each in enumerate(layers)
    )
    figures = Figures(layers, figures.steps, figures.of_layers, figures.of_steps)
    assert ("frozen_untrained" in rules_and_words(figures)) == told


def test_an_embedding_behind_a_layer_as_of_the_time_keeps_nobody_from_copying():
    of_time = replace(LAYERS[2], module="Embedding", nonlinearity=None)
    figures = healthy((*LAYERS[:2], of_time, *LAYERS[3:]))
    figures["targets_are_inputs"][::10] = 1.0
    assert "target_is_input" in rules_and_words(figures)


@pytest.mark.parametrize(
    ("loss", "steps", "severity"), [(1.0, 200, "warning"), (0.9, 200, "note"), (1.0, 70, "note")]
)
def test_a_frozen_body_with_random_weights_is_a_warning_while_nothing_is_learned(
    loss, steps, severity
):
    figures = frozen([0, 1], steps=steps)
    figures["loss"][:] = 1.0
    figures["loss"][10:] = loss
    judge = Judge(figures.layers, rules={"frozen_untrained": RULES["frozen_untrained"]})
    for rows in (slice(0, 50), slice(50, steps)):
        judge.look(figures.of_rows(rows))
    (found,) = judge.findings
    assert (found.severity, found.step) == (severity, 0)


@pytest.mark.parametrize(
    ("trained", "optimizers", "told"), [(range(6), 1, True), ([], 1, False), (range(6), 2, False)]
)
def test_a_new_head_that_is_frozen_behind_what_is_trained_is_a_warning(trained, optimizers, told):
    figures = frozen([5], trained)
    figures["untrained"][:, 5] = 2
    figures["optimizers"][:] = optimizers
    found = rules_and_words(figures).get("frozen_untrained")
    assert (found is not None and found.severity == "warning") == told
    if told:
        assert "the last layer, is frozen" in found.explanation


@pytest.mark.parametrize(("share", "told"), [(0.9, "90% of its vectors are 0"), (0.5, None)])
def test_a_frozen_embedding_of_vectors_that_are_mostly_0_is_a_note(share, told):
    layers = (replace(LAYERS[0], module="Embedding", trainable=False), *LAYERS[1:])
    figures = healthy(layers)
    figures["blank_rows"][:, 0] = share
    found = rules_and_words(figures).get("frozen_untrained")
    assert (found is not None) == (told is not None)
    if told:
        assert told in found.explanation
        assert (found.severity, found.step, found.layers) == ("note", 0, 1)


def weights(sizes, first=0, **facts):
    """Figures of layers of a fan-in of 100, whose weights have these sizes times 0.1 at first."""
    layers = [replace(each, width=(100, 100)) for each in LAYERS]
    layers = [replace(each, bounds=None) for each in layers]
    layers[2] = replace(layers[2], **facts)
    figures = healthy(tuple(layers))
    figures["weight_rms"][:] = np.array(sizes) / 10
    figures.steps[:] += first
    return figures


ODD_ONE = [1, 1, 10.1, 1, 1, 1]


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        (weights(ODD_ONE), True),
        (weights([1, 1, 9.9, 1, 1, 1]), False),
        (weights([2, 2, 19.9, 2, 2, 2]), False),  # not ten times the others'
        (weights([1, 1, 1, 1, 1, 11]), False),  # the last
        (weights([np.nan, np.nan, 10.1, 1, np.nan, np.nan]), True),  # of two
        (weights([np.nan, np.nan, 9.9, 1, np.nan, np.nan]), False),
        (weights([np.nan, 1, 10.1, 1, np.nan, np.nan]), True),
        (weights(ODD_ONE, first=1), False),  # a run that goes on
        (weights(ODD_ONE, bounds=(-1, 1)), False),
        (weights(ODD_ONE, module="BatchNorm1d"), False),
        (weights(ODD_ONE, order=-1), False),
    ],
)
def test_a_layer_of_far_larger_weights_than_all_others_at_the_start_is_told_of(figures, told):
    found = rules_and_words(figures)
    assert ("large_weights" in found) == told
    if told:
        of_layer = found["large_weights"]
        assert (of_layer.severity, of_layer.layer, of_layer.layers) == ("warning", "02_tanh", 1)
        assert of_layer.value == pytest.approx(10.1)


def states(kind, size, drawn=3.0, part="weight_hh_l0"):
    """The finding of a recurrent layer of 64 states whose weights are this many times 1 / 8."""
    own = LayerFacts(f"06_rnn.{part}", "rnn", kind, weights=("weight",), width=(64, 64))
    figures = healthy((*LAYERS, own))
    figures["weight_rms"][:, -1] = size / 8
    figures["untrained"][:, -1] = drawn
    return rules_and_words(figures).get("large_weights")


@pytest.mark.parametrize(
    ("kind", "size", "options", "limit"),
    [
        ("RNN", 4.1, {}, 4),
        ("RNN", 3.9, {}, None),
        ("RNNCell", 4.1, {"part": "weight_hh"}, 4),
        ("GRU", 6.1, {}, 6),
        ("LSTM", 5.9, {}, None),
        ("LSTM", 6.1, {"part": "weight_hh_l1_reverse"}, 6),
        ("RNN", 9.0, {"drawn": np.nan}, None),  # it was trained
        ("RNN", 9.0, {"part": "weight_ih_l0"}, None),
        ("Linear", 9.0, {}, None),
    ],
)
def test_weights_from_state_to_state_are_judged_by_themselves(kind, size, options, limit):
    found = states(kind, size, **options)
    assert (found and found.threshold) == limit
    if found:
        assert (found.layer, found.severity) == (
            f"06_rnn.{options.get('part', 'weight_hh_l0')}",
            "warning",
        )
        assert "from one state to the next" in found.explanation
        part = options.get("part", "weight_hh_l0")
        if kind.startswith("RNN"):
            assert found.remedy.startswith(f"torch.nn.init.orthogonal_ of {part}, ")
        else:
            assert f"leave {part} as torch draws it" in found.remedy
            assert "here 0.12;" in found.remedy


def narrow(units=2, steps=400, left=0.3, kind=1.0, outputs=8.0, at=2, further=1, **facts):
    """Figures of a network with a layer of few units, whose loss falls to a share of chance."""
    layers = [replace(each, width=(8, 8)) for each in LAYERS]
    layers[at] = replace(layers[at], **{"width": (8, units)} | facts)
    layers[at + 1] = replace(layers[at + 1], width=None)
    layers[at + further] = replace(layers[at + further], width=(units, 8))
    figures = healthy(tuple(layers), steps)
    figures["loss"][:] = np.interp(range(steps), [0, 40], [1, left])
    figures["label_entropy"][:], figures["loss_kind"][:], figures["outputs"][:] = 1, kind, outputs
    return rules_and_words(figures).get("too_narrow")


def test_a_layer_of_two_units_is_warned_of_where_eight_classes_are_not_learned():
    found = narrow()
    assert (found.severity, found.layer, found.step) == ("warning", "02_tanh", 0)
    assert "a width of 2" in found.explanation
    assert narrow(steps=300).severity == "note"
    first = {"units": 1, "at": 0, "kind": 6.0, "outputs": 1.0}  # of an error of one number
    assert narrow(**first).severity == "warning"
    assert narrow(units=1, at=0, outputs=2.0).severity == "warning"  # of two classes
    assert narrow(further=2).severity == "warning"  # beyond what has no matrix


@pytest.mark.parametrize(
    "told",
    [
        {"left": 0.2},
        {"steps": 60},
        {"units": 3},
        {"outputs": 4.0},
        {"kind": 6.0},  # as an autoencoder's
        {"on_trunk": False},
        {"width": (2, 2)},
        {"units": 1, "kind": 6.0, "outputs": 1.0},  # not the first layer
        *({"units": 1, "at": 0, "kind": 6.0, "outputs": n} for n in (2.0, 8.0)),  # several numbers
        {"units": 1, "at": 0, "kind": np.nan, "outputs": 1.0},
        {"units": 2, "at": 0, "kind": 6.0, "outputs": 1.0},
        {"units": 1, "at": 0, "kind": 6.0, "outputs": 1.0, "order": -1},
        {"weights": ()},
    ],
)
def test_what_has_room_enough_is_not_narrow(told):
    assert narrow(**told) is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "10.0% of the targets"),
        ({"uncalled_targets": 29.0}, ""),
        ({"uncalled_share": 0.24}, "24.0% of the targets"),
        ({"uncalled_share": 0.25}, ""),
        ({"outputs": 5.0, "label_entropy": 1.15}, "class 3"),  # 0.87 of what guessing costs
        ({"outputs": 5.0, "label_entropy": 1.08}, ""),
    ],
)
def test_a_class_that_is_never_predicted_is_noted_where_others_are(told, words):
    rare = {"outputs": 1.0, "uncalled_targets": 30.0, "uncalled_share": 0.1, "uncalled_class": 3.0}
    figures = healthy(LAYERS, 200)
    figures["loss"][:] = 1.0
    at_looks(figures, **(rare | told))
    found = rules_and_words(figures)
    assert ("class_not_predicted" in found) == bool(words)
    if words:
        assert found["class_not_predicted"].severity == "note"
        assert words in found["class_not_predicted"].explanation
        assert found["class_not_predicted"].step == 160


@pytest.mark.parametrize(
    ("told", "is_noted"),
    [
        ({}, True),
        ({"uncalled_share": 0.051}, False),  # of five classes: a quarter of a fifth is 0.05
        ({"fall": 0.0}, False),
        ({"loss_kind": Loss.BINARY_LOGITS, "uncalled_share": 0.24}, True),  # bits of five outputs
        ({"loss_kind": Loss.BINARY_LOGITS, "uncalled_share": 0.26}, False),
    ],
)
def test_a_rare_class_is_noted_at_the_entropy_of_all_where_the_loss_has_come_down(told, is_noted):
    about = {"outputs": 5.0, "uncalled_targets": 30.0, "uncalled_share": 0.049, "uncalled_class": 3}
    about |= {"label_entropy": 0.3, "loss_kind": Loss.CROSS_ENTROPY, "fall": 1.0} | told
    figures = healthy(LAYERS, 200)
    figures["loss"][:] = 0.3 + np.random.default_rng(0).normal(0, 0.01, 200)
    figures["loss"][:20] += about.pop("fall")
    at_looks(figures, **about)
    assert ("class_not_predicted" in rules_and_words(figures)) == is_noted


@pytest.mark.parametrize(
    ("share", "function", "without", "steps", "so"),
    [
        (0.91, LastFunction.LINEAR, True, 190, True),
        (0.9, LastFunction.LINEAR, True, 190, False),
        (0.91, LastFunction.TANH, True, 190, False),
        (0.91, LastFunction.LINEAR, False, 190, False),
        (0.91, LastFunction.LINEAR, True, 180, False),  # two looks since step 160
    ],
)
def test_an_error_that_is_one_missing_number_asks_for_a_bias(share, function, without, steps, so):
    figures = healthy((*LAYERS[:-1], replace(LAYERS[-1], without_bias=without)), steps)
    figures["error_mean"][::10], figures["output_function"][::10] = share, function
    found = rules_and_words(figures)
    assert ("offset_missing" in found) == so
    assert not so or found["offset_missing"].severity == "warning"


@pytest.mark.parametrize(
    ("first", "told", "words"),
    [
        (32, {}, "though all outputs"),
        (1, {}, "a batch of one sample"),
        (2, {}, "though all outputs"),
        (32, {"of_alignment": 1.0}, "CTC"),
    ],
)
def test_what_made_a_loss_that_is_not_finite_is_told(first, told, words):
    figures = looked(samples=32.0, **told)
    figures["activation_count"][:] = 320
    figures["activation_count"][55] = 10 * first
    figures["loss"][55] = np.inf
    assert words in rules_and_words(figures)["loss_not_finite"].explanation


@pytest.mark.parametrize(
    ("loss", "endless"),
    [
        (lambda step: 3 - step**2 / 2, True),
        (lambda step: 3 - 20 * step, True),
        (lambda step: 3 - 1.6 * step, False),  # not as far
        (lambda step: 3 - 7.5 * step**0.8, False),  # it flattens
    ],
)
def test_a_loss_that_falls_below_0_without_end_is_told_from_one_that_may(loss, endless):
    figures = healthy(LAYERS, 400 if loss(1000.0) < -6000 else 1800)
    figures["loss"][:] = loss(figures.steps.astype(float))
    figures["loss"][:20] = 3.0
    found = rules_and_words(figures).get("negative_loss")
    assert (found is not None) == endless
    assert found is None or (found.severity == "warning" and "no lower bound" in found.explanation)


@pytest.mark.parametrize(("times", "so"), [(1.2, True), (0.8, False)])
def test_a_loss_that_was_below_0_diverges_at_a_thousand_times_its_first_size(times, so):
    figures = healthy(LAYERS, 120)
    figures["loss"][:20], figures["loss"][20:30] = 2.0, -1.0
    figures["loss"][30:] = times * 2000
    assert ("loss_diverged" in rules_and_words(figures)) == so


def test_data_that_are_overwritten_are_why_samples_are_blank():
    told = rules_and_words(looked(data_overwritten=1.0, input_blank=0.6))
    assert next(iter(told)) == "data_overwritten"
    assert told["inputs_repeat"].because == "data_overwritten"


@pytest.mark.parametrize(
    ("told", "severity", "words"),
    [
        ({"foreign": 0}, "warning", "are frozen"),
        ({"foreign": 0, "untrained": (5, 2)}, "note", "are frozen"),
        ({"foreign": 3}, "warning", "another network"),
        ({"foreign": 0, "unowned_share": 0.9}, "warning", "it never learns"),
    ],
)
def test_an_optimizer_that_has_frozen_parameters_alone_is_told_of(told, severity, words):
    figures = looked(**{"owned": 0, "unowned_share": 1, **told})
    found = rules_and_words(figures)["not_optimized"]
    assert (found.severity, words in found.explanation) == (severity, True)


@pytest.mark.parametrize(("none", "severity"), [(1, None), (2, "warning")])
def test_a_parameter_that_the_forward_pass_detaches_has_no_gradient(none, severity):
    layers = (replace(LAYERS[0], order=-1), *LAYERS[1:])
    figures = looked(layers, no_gradient=(0, none))
    figures["weight_grad_rms"][:, 0] = np.nan
    found = rules_and_words(figures).get("no_gradient")
    assert (found and found.severity) == severity
    assert severity is None or "detach() or .data" in found.explanation
