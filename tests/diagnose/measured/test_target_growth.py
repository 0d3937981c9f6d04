"""What grows with the targets of a value that is learned is a note; what grows beyond is not."""

import numpy as np
import pytest

from layerscope.diagnose import Judge
from tests.diagnose.test_rules import at_looks, healthy, network, rules_and_words


def learned(loss, targets):
    """Figures of a run with such losses, whose looks, every tenth step, have such targets."""
    figures = healthy(network(), len(loss))
    figures["loss"][:] = loss
    at_looks(figures, loss_kind=6, loss_reduction=1, target_rms=targets[::10])
    return figures


GROWS, STAYS = np.linspace(1, 12, 160), np.full(160, 12.0)
FORTY_TIMES, BEYOND = np.geomspace(1, 40, 160), np.geomspace(1, 1e5, 160)


@pytest.mark.parametrize(
    ("loss", "targets", "rule", "severity"),
    [
        (FORTY_TIMES, GROWS, "loss_diverged", "note"),
        (FORTY_TIMES, STAYS, "loss_diverged", "critical"),
        (BEYOND, GROWS, "loss_diverged", "critical"),
        (np.full(160, 1.0), np.linspace(1, 120, 160), "target_scale", "note"),
        (np.full(160, 1.0), 10 * STAYS, "target_scale", "warning"),
    ],
)
def test_what_grows_with_the_targets_is_a_note(loss, targets, rule, severity):
    assert rules_and_words(learned(loss, targets))[rule].severity == severity


def test_a_judge_that_goes_on_from_a_checkpoint_knows_that_targets_have_grown():
    figures = learned(FORTY_TIMES, GROWS)
    judge, other = Judge(figures.layers), Judge(figures.layers)
    judge.look(figures)
    other.load_state(judge.state())
    assert [each.severity for each in other.findings] == [each.severity for each in judge.findings]
