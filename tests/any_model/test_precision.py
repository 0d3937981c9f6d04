"""Half precision, loss scaling and skipped steps, on the CPU as on any device."""

import numpy as np
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

from layerscope import LayerMonitor
from layerscope.events.reader import read_run
from tests.any_model.nets import Mlp, make, seeded
from tests.any_model.reference import assert_figures_are_those_of, run_plainly
from tests.any_model.training import EVERYTHING, figures, fit


@pytest.mark.parametrize("name", ["resnet", "gpt", "autoencoder", "siamese"])
def test_under_bf16_mixed_the_values_are_measured_as_they_are_stored(tmp_path, name):
    fit(make(name), tmp_path, LayerMonitor(quantities=EVERYTHING), precision="bf16-mixed")
    assert_figures_are_those_of(run_plainly(make(name), dtype=torch.bfloat16), figures(tmp_path))


def test_float64_is_measured_without_rounding_to_float32(tmp_path):
    class Offset(Mlp):
        """Outputs of 1 and 1e-9 more or less: float32 holds 1 alone."""

        def __init__(self):
            super().__init__(dtype=torch.float64)
            self.small = torch.nn.Linear(4, 4, dtype=torch.float64)
            with torch.no_grad():
                self.small.weight.mul_(1e-9)
                self.small.bias.fill_(1.0)

        def loss(self, batch):
            return super().loss((self.small(batch[0].double()), batch[1]))

    fit(seeded(Offset), tmp_path, LayerMonitor())
    (step, *_) = run_plainly(seeded(Offset))
    std = step.elements["activation", "03_small"].std(ddof=1)
    assert 1e-11 < std < 1e-8
    written = figures(tmp_path)
    at = [facts.name for facts in written.layers].index("03_small")
    assert written["activation_std"][0, at] == pytest.approx(std, rel=1e-4)


def scaler(scale):
    return torch.amp.GradScaler("cpu", init_scale=scale, backoff_factor=2.0**-8)


def fit_scaled(net, folder, scale, monitor):
    plugin = MixedPrecision("16-mixed", "cpu", scaler(scale))
    return fit(net, folder, monitor, plugins=[plugin])


@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=["plain", "fused"])
def test_gradients_are_those_of_the_loss_not_of_the_scaled_loss(tmp_path, options):
    net = seeded(Mlp, **options)
    fit_scaled(net, tmp_path, 2.0**10, LayerMonitor(quantities=EVERYTHING))
    plain = seeded(Mlp)
    steps = run_plainly(plain, dtype=torch.half, scaler=scaler(2.0**10))
    assert not any(step.skipped for step in steps)
    written = figures(tmp_path)
    # Where the optimizer unscales by itself, it rounds differently.
    assert_figures_are_those_of(steps, written, rtol=1e-3 if options else 1e-4)
    assert not written["skipped"].any()


def test_a_skipped_step_is_recorded_as_skipped_and_not_as_an_update(tmp_path):
    scale = 2.0**30
    monitor = LayerMonitor(quantities=EVERYTHING, updates_every_n_steps=1, scalars_every_n_steps=1)
    trainer = fit_scaled(seeded(Mlp), tmp_path, scale, monitor)
    steps = run_plainly(seeded(Mlp), dtype=torch.half, scaler=scaler(scale))
    skipped = [step.skipped for step in steps]
    assert skipped == [True, True, False, False, False, False]
    assert trainer.global_step == 6
    written = figures(tmp_path)
    assert written.steps.tolist() == list(range(6))
    assert written["skipped"].tolist() == skipped
    moved = np.nan_to_num(written["update_to_weight"]) > 0
    assert moved.any(axis=1).tolist() == [not each for each in skipped]
    assert_figures_are_those_of(steps[2:], _from(written, 2))
    tag = "update_to_weight_log10/00_tanh"
    assert read_run(tmp_path).scalars[tag].steps.tolist() == [2, 3, 4, 5]


def _from(written, first):
    kept = written.steps >= first
    return type(written)(
        written.layers, written.steps[kept] - first, written.of_layers[kept], written.of_steps[kept]
    )


def test_activation_gradients_too_small_for_half_precision_are_right_thanks_to_the_scale(tmp_path):
    class Quiet(Mlp):
        def loss(self, batch):
            return super().loss(batch) * 1e-6

    fit_scaled(seeded(Quiet), tmp_path, 2.0**20, LayerMonitor())
    written = figures(tmp_path)
    steps = run_plainly(seeded(Quiet), dtype=torch.half, scaler=scaler(2.0**20))
    assert_figures_are_those_of(
        steps, written, ["activation_grad_rms", "weight_grad_rms"], rtol=1e-3
    )
    assert (written["activation_grad_rms"] > 0).all()
    series = read_run(tmp_path).histograms["activation_grad/00_tanh"]
    assert abs(series.buckets[0][:, :2]).max() < 1e-5
    tag = "activation_grad_log10/00_tanh"
    logarithmic = read_run(tmp_path).histograms[tag].buckets[0]
    assert logarithmic[logarithmic[:, 2] > 0][-1, 1] < -5
