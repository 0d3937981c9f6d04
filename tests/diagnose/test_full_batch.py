"""All data in each step, judged by how far the loss has fallen."""

import numpy as np
import pytest

from tests.diagnose.test_rules import healthy, network
from tests.diagnose.test_seen_at_looks import findings


def judged(loss, **told):
    """The finding of a run whose each batch is all data; None without."""
    figures = healthy(network(), len(loss))
    figures["whole_set"][::10] = 512
    figures["loss"][:] = loss
    for figure, value in told.items():
        figures[figure][:] = value
    return findings(figures).get("full_batch")


def test_a_loss_that_has_fallen_little_is_told_of():
    found = judged(np.linspace(2.3, 2.2, 100))
    assert found.severity == "warning"
    assert "an epoch is one step" in found.explanation
    assert "batch_size=32" in found.remedy


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (np.linspace(2.3, 2.2, 100), {"whole_set": 0}),  # other samples in each step
        (np.linspace(2.3, 2.2, 79), {}),  # too early
        (np.linspace(2.3, 1.0, 100), {}),  # it falls well
        (np.full(100, 2.3), {}),  # not at all: more steps of the same are no help
        (np.linspace(2.3, 2.2, 100), {"update_to_weight": 1e-4}),  # the rate is too small
        (np.linspace(2.3, 2.2, 100), {"optimizers": 2}),
    ],
)
def test_what_may_have_another_reason_is_not_told_of(loss, told):
    assert judged(loss, **told) is None


def test_a_loss_that_has_fallen_since_leaves_a_note():
    assert judged(np.linspace(2.3, 0.6, 400)).severity == "note"
