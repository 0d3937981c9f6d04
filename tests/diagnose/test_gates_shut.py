"""Gates that are shut from the start are told of, and those that shut as they learn are not."""

import numpy as np
import pytest

from layerscope.diagnose import LayerFacts
from tests.diagnose.test_rules import healthy, network, rules_and_words


def judged(shut, gate="forget", loss=None):
    """The finding on a gate with such shares of shut values at its keyframes; None without."""
    layers = (*network(), LayerFacts(f"00_lstm/{gate}", "lstm", "gate", trainable=False))
    figures = healthy(layers, 120)
    figures["gate_shut"][: 20 * len(shut) : 20, -1] = shut
    if loss is not None:
        figures["loss"][:] = loss
    return rules_and_words(figures).get("gates_shut")


@pytest.mark.parametrize("gate", ["forget", "update", "forget1_reverse"])
def test_a_gate_that_is_shut_from_the_start_is_told_of(gate):
    found = judged([0.95, 0.93, 0.92], gate, np.full(120, 1.1))
    assert (found.severity, found.layer) == ("warning", f"00_lstm/{gate}")
    assert "95%" in found.explanation


@pytest.mark.parametrize(
    ("shut", "gate"),
    [
        ([0.89] * 5, "forget"),
        ([0.95, 0.4, 0.5], "forget"),
        ([0.0, 0.95, 0.95, 0.95], "forget"),  # learned
        ([0.95] * 5, "input"),
        ([0.95] * 5, "output"),
        ([0.95] * 5, "reset"),
    ],
)
def test_what_may_be_meant_is_not_told_of(shut, gate):
    assert judged(shut, gate, np.full(120, 1.1)) is None


def test_a_network_that_learns_all_the_same_gets_a_note():
    assert judged([0.95] * 5, loss=np.geomspace(1.1, 0.01, 120)).severity == "note"
