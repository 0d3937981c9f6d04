"""One record for each step of each optimizer: what it received, and what it did to the weights."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from layerscope import LayerMonitor, watch
from layerscope.events.reader import read_run
from layerscope.record import is_keyframe
from tests.any_model.nets import Gan, Mlp, make, seeded
from tests.any_model.reference import assert_figures_are_those_of, expected_figure, rms, run_plainly
from tests.any_model.training import EVERYTHING, figures, fit


@pytest.mark.parametrize("name", ["gan", "sparse_bag"])
def test_each_step_of_each_optimizer_is_one_record_on_one_axis(tmp_path, name):
    trainer = fit(make(name), tmp_path, LayerMonitor())
    written = figures(tmp_path)
    assert written.steps.tolist() == list(range(12)) == list(range(trainer.global_step))
    assert written["optimizer"].tolist() == [0, 1] * 6
    tag = {"gan": "activation/02_leakyrelu_discriminator.1", "sparse_bag": "weight_grad/00_bag"}[
        name
    ]
    steps = read_run(tmp_path).histograms[tag].steps.tolist()
    assert steps == {"gan": list(range(12)), "sparse_bag": list(range(0, 12, 2))}[name]


@pytest.mark.parametrize("name", ["gan", "sparse_bag"])
def test_gradients_are_those_of_the_optimizer_that_steps(tmp_path, name):
    fit(make(name), tmp_path, LayerMonitor())
    written = figures(tmp_path)
    received = np.nan_to_num(written["weight_grad_rms"]) > 0
    half = len(written.layers) // 2
    if name == "gan":  # the discriminator steps first, and is registered second
        received = np.roll(received, half, axis=1)
    assert received[0::2, :half].all()
    assert received[1::2, half:].all()
    assert not received[0::2, half:].any()
    assert not received[1::2, :half].any()


def test_a_forward_pass_that_serves_two_optimizers_is_counted_in_the_first_ones_step(tmp_path):
    class OnePass(Gan):
        """As the shortest of the examples: one loss, then both steps."""

        def training_step(self, batch, batch_idx):
            to_discriminate, to_generate = self.optimizers()
            fake = self.generator(torch.randn(len(batch), 3))
            to_discriminate.zero_grad()
            to_generate.zero_grad()
            scores = self.discriminator(torch.cat([batch, fake]))
            self.manual_backward(scores.square().mean())
            to_discriminate.step()
            to_generate.step()

    fit(seeded(OnePass), tmp_path, LayerMonitor())
    written = figures(tmp_path)
    assert written.steps.tolist() == list(range(12))
    counts = np.nan_to_num(written["activation_count"])
    assert (counts[0::2] > 0).all()
    assert not counts[1::2].any()
    assert (written["weight_grad_rms"][0::2, 2:] > 0).all()
    assert (written["weight_grad_rms"][1::2, :2] > 0).all()


def make_mlp(**options):
    return seeded(Mlp, **options)


def test_a_manual_step_after_several_backward_passes_has_all_of_them(tmp_path):
    class EverySecond(Mlp):
        def __init__(self):
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch, batch_idx):
            optimizer = self.optimizers()
            self.manual_backward(self.loss(batch) / 2)
            if batch_idx % 2:
                optimizer.step()
                optimizer.zero_grad()

    fit(seeded(EverySecond), tmp_path, LayerMonitor(quantities=EVERYTHING))
    assert_figures_are_those_of(run_plainly(make_mlp(), accumulate=2), figures(tmp_path))


def test_of_a_closure_that_runs_many_times_the_first_is_measured(tmp_path):
    evaluations = []

    class Counting(Mlp):
        def loss(self, batch):
            evaluations.append(batch)
            return super().loss(batch)

    options = {"optimizer": torch.optim.LBFGS, "lr": 0.1, "max_iter": 4}
    trainer = fit(seeded(Counting, **options), tmp_path, LayerMonitor(quantities=EVERYTHING))
    assert trainer.global_step == 6 < len(evaluations)
    assert_figures_are_those_of(run_plainly(make_mlp(**options)), figures(tmp_path))


OPTIMIZERS = {
    "adamw": {"weight_decay": 0.1},
    "sgd": {"optimizer": torch.optim.SGD, "lr": 0.1, "momentum": 0.9, "nesterov": True},
    "fused": {"fused": True},
    "foreach": {"foreach": True},
    "rmsprop": {"optimizer": torch.optim.RMSprop},
    "rprop": {"optimizer": torch.optim.Rprop},
    "lbfgs": {"optimizer": torch.optim.LBFGS, "lr": 0.1, "max_iter": 4},
    "float64": {"dtype": torch.float64},
    "unused": {"unused": True},
}


@pytest.mark.parametrize(
    "name", [*OPTIMIZERS, *("gan", "sparse_bag", "resnet", "lstm", "gpt_tied")]
)
def test_the_update_is_the_difference_that_the_step_made_whatever_the_optimizer(tmp_path, name):
    def net():
        return make_mlp(**OPTIMIZERS[name]) if name in OPTIMIZERS else make(name)

    fit(net(), tmp_path, LayerMonitor(updates_every_n_steps=1, scalars_every_n_steps=1))
    steps, written = run_plainly(net()), figures(tmp_path)
    names = [facts.name for facts in written.layers]
    expected = np.array(
        [[expected_figure(step, "update_to_weight", each) for each in names] for step in steps]
    )
    assert (expected > 0).any(axis=1).all()
    # Both sides subtract float32 weights: what they round to is the same.
    found = written["update_to_weight"]
    np.testing.assert_allclose(found[expected > 0], expected[expected > 0], rtol=1e-4)
    assert not (found[~(expected > 0)] > 0).any()
    scalars = read_run(tmp_path).scalars
    for at, layer in enumerate(names):
        known = ~np.isnan(expected[:, at]) & (expected[:, at] > 0)
        tag = f"update_to_weight_log10/{layer}"
        if known.any():
            assert scalars[tag].steps.tolist() == np.flatnonzero(known).tolist()
            np.testing.assert_allclose(
                scalars[tag].values, np.log10(expected[known, at]), atol=1e-4
            )
        else:
            assert tag not in scalars


def muon_and_adamw(network):
    """As Muon is meant: matrices of hidden layers for Muon, all else for AdamW."""
    matrices = [p for p in network[1].parameters() if p.ndim == 2]
    others = [p for p in network.parameters() if all(p is not matrix for matrix in matrices)]
    return torch.optim.Muon(matrices, lr=0.02), torch.optim.AdamW(others, lr=3e-3)


def adamw_of_8_bits(network):
    package = pytest.importorskip("bitsandbytes")  # not installed here: for whoever has it
    return (package.optim.AdamW8bit(network.parameters(), lr=3e-3, min_8bit_size=16),)


def adafactor(network):
    return (torch.optim.Adafactor(network.parameters(), lr=0.02),)


@pytest.mark.parametrize("optimizers_of", [muon_and_adamw, adafactor, adamw_of_8_bits])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_update_is_the_difference_of_the_weights_in_any_loop(tmp_path, optimizers_of, dtype):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 4)).to(dtype)
    optimizers, expected, lost = optimizers_of(network), [], []
    with watch(network, tmp_path, summary=False, updates_every_n_steps=1) as watcher:
        for _ in range(4):
            loss = network(torch.randn(8, 16, dtype=dtype)).square().mean()
            loss.backward()
            before = [layer.weight.detach().double().numpy() for layer in network]
            for optimizer in optimizers:
                optimizer.step()
            after = [layer.weight.detach().double().numpy() for layer in network]
            expected.append(
                [rms(new - old) / rms(old) for old, new in zip(before, after, strict=True)]
            )
            driven = [layer.weight.grad.float().numpy() != 0 for layer in network]
            same = [old == new for old, new in zip(before, after, strict=True)]
            lost.append([(a & b).sum() / a.sum() for a, b in zip(driven, same, strict=True)])
            watcher.step(loss)
            network.zero_grad()
    written = figures(tmp_path)
    assert len(written.steps) == 4
    # A difference of bfloat16 weights is rounded to bfloat16 once more.
    rounding = 1e-5 if dtype is torch.float32 else 2e-3
    np.testing.assert_allclose(written["update_to_weight"], expected, rtol=rounding)
    if dtype is torch.bfloat16:
        np.testing.assert_allclose(written["update_lost"], lost, rtol=1e-6)
    else:
        assert np.isnan(written["update_lost"]).all()


def test_updates_are_measured_at_every_tenth_step_and_the_keyframes(tmp_path):
    fit(make_mlp(), tmp_path, LayerMonitor(), batches=make_mlp().batches(25))
    measured = ~np.isnan(figures(tmp_path)["update_to_weight"])
    expected = [step for step in range(25) if step % 10 == 0 or is_keyframe(step)]
    assert np.flatnonzero(measured.all(axis=1)).tolist() == expected
    assert np.flatnonzero(measured.any(axis=1)).tolist() == expected


def test_updates_can_be_left_unmeasured(tmp_path):
    fit(make_mlp(), tmp_path, LayerMonitor(updates_every_n_steps=0))
    assert np.isnan(figures(tmp_path)["update_to_weight"]).all()


def test_updates_every_n_steps_must_not_be_negative():
    with pytest.raises(ValueError, match="updates_every_n_steps must be at least 0, got -1"):
        LayerMonitor(updates_every_n_steps=-1)


def test_the_histogram_of_updates_is_written_when_asked(tmp_path):
    quantities = ["activation", "activation_grad", "weight_grad", "update"]
    monitor = LayerMonitor(quantities=quantities, updates_every_n_steps=1)
    fit(make_mlp(), tmp_path, monitor)
    histograms = read_run(tmp_path).histograms
    for at, step in enumerate(run_plainly(make_mlp())):
        for layer in ("00_tanh", "01_relu", "02_linear"):
            update = step.elements["update", layer]
            series = histograms[f"update/{layer}"]
            buckets = series.buckets[series.steps.tolist().index(at)]
            assert buckets[:, 2].sum() == len(update)
            assert buckets[0, 0] == pytest.approx(update.min(), rel=1e-3)
            assert buckets[-1, 1] == pytest.approx(update.max(), rel=1e-3)
    fit(make_mlp(), tmp_path / "default", LayerMonitor(updates_every_n_steps=1))
    assert not any("update/" in tag for tag in read_run(tmp_path / "default").histograms)


def test_weights_that_are_all_zero_have_no_update_to_weight(tmp_path):
    def net():
        made = make_mlp()
        torch.nn.init.zeros_(made.net[4].weight)
        return made

    fit(net(), tmp_path, LayerMonitor(updates_every_n_steps=1, scalars_every_n_steps=1))
    ratio = figures(tmp_path)["update_to_weight"][:, -1]
    assert math.isnan(ratio[0])
    assert (ratio[1:] > 0).all()
    assert np.isfinite(ratio[1:]).all()
    tag = "update_to_weight_log10/02_linear"
    assert read_run(tmp_path).scalars[tag].steps.tolist() == [1, 2, 3, 4, 5]


def test_a_frozen_layer_is_not_updated(tmp_path):
    fit(make("unfreezing"), tmp_path, LayerMonitor(updates_every_n_steps=1))
    moved = np.nan_to_num(figures(tmp_path)["update_to_weight"]) > 0
    assert moved[:, 0].tolist() == [False, False, False, True, True, True]
    assert moved[:, -1].all()


@pytest.mark.parametrize(
    ("algorithm", "limit", "clip"),
    [
        ("norm", 0.2, lambda parameters: clip_grad_norm_(parameters, 0.2)),
        ("value", 0.05, lambda parameters: clip_grad_value_(parameters, 0.05)),
        ("norm", 1e6, lambda parameters: clip_grad_norm_(parameters, 1e6)),
    ],
)
def test_gradients_are_measured_before_clipping_and_the_clip_factor_after(
    tmp_path, algorithm, limit, clip
):
    fit(
        make_mlp(),
        tmp_path,
        LayerMonitor(scalars_every_n_steps=1),
        gradient_clip_val=limit,
        gradient_clip_algorithm=algorithm,
    )
    steps, written = run_plainly(make_mlp(), clip=clip), figures(tmp_path)
    names = [facts.name for facts in written.layers]
    expected = [
        [expected_figure(step, "weight_grad_rms", name) for name in names] for step in steps
    ]
    np.testing.assert_allclose(written["weight_grad_rms"], expected, rtol=1e-4)
    factors = [step.clip_factor for step in steps]
    assert all(factor < 0.99 for factor in factors) == (limit < 1)
    np.testing.assert_allclose(written["clip_factor"], factors, rtol=1e-4)
    description = read_run(tmp_path).descriptions["weight_grad/00_tanh"]
    assert "before clipping" in description


def test_without_clipping_the_clip_factor_is_one_or_unknown(tmp_path):
    fit(make_mlp(), tmp_path, LayerMonitor())
    factors = figures(tmp_path)["clip_factor"]
    assert ((factors == 1) | np.isnan(factors)).all()


def test_the_learning_rate_is_that_of_the_step(tmp_path):
    class Cooling(Mlp):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
            return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    fit(seeded(Cooling), tmp_path, LayerMonitor())
    np.testing.assert_allclose(
        figures(tmp_path)["learning_rate"], 0.01 * 0.5 ** np.arange(6), rtol=1e-6
    )


def test_of_a_sparse_gradient_the_rows_that_were_touched_are_measured(tmp_path):
    net = make("sparse_bag")
    batches = net.batches()
    fit(net, tmp_path, LayerMonitor(), batches=batches)
    series = read_run(tmp_path).histograms["weight_grad/00_bag"]
    touched = [len(words.unique()) for words, _ in batches]
    assert len(set(touched)) > 1
    assert [int(buckets[:, 2].sum()) for buckets in series.buckets] == [4 * n for n in touched]
    steps = run_plainly(make("sparse_bag"))
    written = figures(tmp_path)["weight_grad_rms"][0::2, 0]
    expected = [rms(step.elements["weight_grad", "00_bag"]) for step in steps[0::2]]
    np.testing.assert_allclose(written, expected, rtol=1e-4)
