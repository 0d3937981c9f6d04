"""The monitor times itself, and leaves steps out to keep to its share."""

import time

import numpy as np
import pytest

from layerscope import LayerMonitor
from layerscope.events.reader import read_run
from layerscope.record import is_keyframe
from tests.any_model.nets import Mlp, make, seeded
from tests.any_model.training import figures, fit


class Slow(Mlp):
    """Each step takes ten milliseconds of its own."""

    def training_step(self, batch, batch_idx):
        time.sleep(0.01)
        return super().training_step(batch, batch_idx)


def test_the_monitor_reports_its_own_time_and_share(tmp_path):
    fit(seeded(Slow), tmp_path, LayerMonitor(budget=0.5, scalars_every_n_steps=1))
    scalars = read_run(tmp_path).scalars
    took, share = scalars["monitor/ms_per_step"], scalars["monitor/share_of_step"]
    assert len(took.steps) > 0
    assert (took.values > 0).all()
    assert (share.values > 0).all()
    assert (share.values < 1).all()
    # A step takes 10 ms and what Lightning and the monitor add.
    steps = took.values / share.values
    assert 10 < np.median(steps) < 500  # as busy as this machine may be
    written = figures(tmp_path)
    assert 10 < np.nanmedian(written["step_ms"]) < 500
    assert np.nanmin(written["monitor_ms"]) > 0


def test_a_share_that_is_not_reached_leaves_no_step_out(tmp_path, caplog):
    fit(seeded(Slow), tmp_path, LayerMonitor(budget=0.9), batches=seeded(Mlp).batches(30))
    assert figures(tmp_path).steps.tolist() == list(range(30))
    assert not [record for record in caplog.records if "budget" in record.getMessage()]


def test_over_its_budget_it_leaves_steps_out_and_says_so(tmp_path, caplog):
    monitor = LayerMonitor(budget=0.05)
    net = make("gpt")
    fit(net, tmp_path, monitor, batches=net.batches(40), max_epochs=5)
    written = figures(tmp_path)
    steps = written.steps.tolist()
    assert {step for step in range(200) if is_keyframe(step)} <= set(steps)
    later = [step for step in steps if step >= 100]
    assert len(later) < 60
    said = [record.getMessage() for record in caplog.records if "budget" in record.getMessage()]
    assert said
    assert "0.05" in said[0]


def test_without_a_budget_every_step_is_measured(tmp_path):
    fit(seeded(Mlp), tmp_path, LayerMonitor(), batches=seeded(Mlp).batches(30))
    assert figures(tmp_path).steps.tolist() == list(range(30))


@pytest.mark.parametrize("budget", [0, -0.1, 1.5])
def test_a_budget_is_a_share(budget):
    with pytest.raises(ValueError, match=f"budget must be .*, got {budget}"):
        LayerMonitor(budget=budget)
