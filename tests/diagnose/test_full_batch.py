"""All data in each step, judged by how far the loss has fallen."""

import numpy as np
import pytest

from tests.diagnose.test_rules import healthy, network, rules_and_words


def judged(loss, samples=512, **told):
    """The finding of a run whose each batch is all data; None without."""
    figures = healthy(network(), len(loss))
    figures["whole_set"][::10] = samples
    figures["loss"][:] = loss
    for figure, value in told.items():
        figures[figure][:] = value
    return rules_and_words(figures).get("full_batch")


def test_a_loss_that_has_fallen_little_is_told_of():
    found = judged(np.linspace(2.3, 2.2, 100))
    assert found.severity == "warning"
    assert "an epoch is one step" in found.explanation
    assert "batch_size=32" in found.remedy


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (np.linspace(2.3, 2.2, 100), {"samples": 0}),  # others in each step
        (np.linspace(2.3, 2.2, 100), {"samples": 255}),  # few
        (np.linspace(2.3, 2.2, 100), {"samples": np.nan}),
        (np.linspace(2.3, 2.2, 60), {"wants_all_data": 1}),
        (np.linspace(2.3, 2.2, 60), {"wants_all_data": 1, "samples": np.nan}),
        (np.linspace(2.3, 2.2, 60), {"wants_all_data": 0, "samples": 0}),
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


@pytest.mark.parametrize(("end", "severity"), [(2.2, "warning"), (0.9, "note")])
def test_an_optimizer_that_wants_all_data_and_gets_batches_is_told_of(end, severity):
    found = judged(np.linspace(2.3, end, 100), samples=0, wants_all_data=1)
    assert "Rprop and LBFGS with all data" in found.remedy
    assert found.severity == severity
