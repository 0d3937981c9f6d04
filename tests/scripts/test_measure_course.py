"""docs/course.md says what was measured: course.json and claims.json beside the claims have it."""

import json
import re

import pytest

from layerscope.comparison.estimate import estimate
from scripts.measure_course import COMMANDS, FILE, ROOT, measured

MEASURED = json.loads(FILE.read_text(encoding="utf-8"))
SEEDS = json.loads((FILE.parent / "claims.json").read_text(encoding="utf-8"))["values"]
PAGE = (ROOT / "docs/course.md").read_text(encoding="utf-8")


def of(experiment, init, figure):
    return MEASURED[f"experiment={experiment} init={init}"][figure]


def ratio(values):
    return values[0] / values[-1]


def percent(share):
    return f"{100 * share:.0f}"


def five_layers():
    bad = ("five_layers", "random")
    cures = (("five_layers", "kaiming"), ("five_layers", "xavier"))
    std = of(*bad, "std")
    *most, last = map(percent, of(*bad, "saturated"))
    yield f"| std | about 1.0 | {min(std):.2f} to {max(std):.2f} |"
    yield f"| saturated | > 20 % | {', '.join(most)} and {last} % |"
    yield f"grows {ratio(of(*bad, 'grad')):.0f}-fold from layer 5 to layer 1"
    stds = [of(*cure, "std") for cure in cures]
    yield f"| about 0.6 | {' | '.join(f'{each[0]:.2f} to {each[-1]:.2f}' for each in stds)} |"
    (first, *kaiming), (xavier, *none) = (of(*cure, "saturated") for cure in cures)
    assert max(none) < 0.001
    above = f"{percent(min(kaiming))} to {percent(max(kaiming))} % above"
    yield f"| {percent(first)} % in layer 1, {above} | {percent(xavier)} % in layer 1, none above |"
    grads = [f"{ratio(of(*cure, 'grad')):.2f}" for cure in cures]
    yield f"| healthy | {' | '.join(grads)} |"


def notebook():
    random, kaiming, xavier = ("random", "kaiming", "xavier")
    *most, last = map(percent, of("notebook", random, "saturated"))
    yield f"| {', '.join(most)} and {last} % beyond 0.99 |"
    yield f"| {', '.join(f'{each:.3f}' for each in of('notebook', kaiming, 'std'))} |"
    yield f"W1 to W4: {', '.join(f'{x:.3f}' for x in of('notebook', random, 'weight_grad'))}: grows"
    yield f"| {', '.join(f'{each:.4f}' for each in of('notebook', kaiming, 'weight_grad'))} |"
    yield f"| {', '.join(f'{each:.3f}' for each in of('notebook', xavier, 'std'))} |"


def cure():
    nothing, *norms = (
        MEASURED[f"experiment=cure model.norm={norm}"] for norm in ("null", "batch", "layer", "rms")
    )
    least, most = (f(nothing["saturated"]) for f in (min, max))
    healed = [share for norm in norms for share in norm["saturated"]]
    changes = [ratio(norm["grad"]) for norm in norms]
    now = f"{percent(min(healed))} to {percent(max(healed))} %"
    yield f"{now} saturated in place of {percent(least)} to {percent(most)} %"
    changed = f"{min(changes):.1f} to {max(changes):.1f} in place of {ratio(nothing['grad']):,.0f}"
    yield f"a gradient that changes by {changed} from end to end"
    alone = MEASURED["experiment=cure model.residual=true"]["saturated"]
    yield f"Residuals alone leave {percent(min(alone))} to {percent(max(alone))} % saturated"


def dead_relu():
    run = MEASURED["experiment=dead_relu"]
    zeros = run["zeros_end"][1:]
    yield f"{percent(min(zeros))} to {percent(max(zeros))} % of the outputs are zero at the end"
    yield f"the loss of {run['val_loss'][0]:.3f} is"


def over_seeds():
    ten = MEASURED["experiment=vanishing"]["grad"]
    yield f"and {ratio(ten) ** (1 / 9):.2f} a layer is measured"
    for layers, name in (
        ("5", "relu_dies"), ("10", "relu_dies_10"), ("20", "relu_dies_20"),
        ("5, with a learning rate of 0.1", "relu_dies_fast"),
    ):  # fmt: skip
        yield f"| {layers} | {percent(estimate(SEEDS[name]).median)} % |"


@pytest.mark.parametrize(
    "told", [*five_layers(), *notebook(), *cure(), *dead_relu(), *over_seeds()]
)
def test_a_figure_of_the_course_is_what_was_measured(told):
    assert told in re.sub(r"\s+", " ", PAGE)


@pytest.mark.slow
@pytest.mark.rare
@pytest.mark.parametrize("command", COMMANDS)
def test_what_was_measured_comes_out_again(command):
    for figure, values in measured(command).items():
        assert values == pytest.approx(MEASURED[command][figure], rel=2e-3, abs=1e-6), figure
