"""With the monitor or without it: the same weights, and the same random numbers from there on."""

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, StochasticWeightAveraging
from lightning.pytorch.plugins import MixedPrecision
from torch.utils._pytree import tree_leaves

from layerscope import LayerMonitor
from tests.any_model.nets import REAL, Gpt, Mlp, ResNet, make, seeded
from tests.any_model.training import EVERYTHING, fit, random_states


def everything(net, trainer):
    """All that a training leaves behind: weights, buffers, optimizer states, random states."""
    optimizers = [optimizer.state_dict() for optimizer in trainer.optimizers]
    gradients = [parameter.grad for parameter in net.parameters()]
    return tree_leaves([net.state_dict(), gradients, optimizers, random_states()])


def same(one, other):
    if isinstance(one, torch.Tensor):
        dense = [x.to_dense() if x.is_sparse else x for x in (one, other)]
        return dense[0].dtype == dense[1].dtype and torch.equal(*(as_bits(x) for x in dense))
    return one == other


def as_bits(tensor):
    """The bits, where NaN equals NaN and 0 differs from -0."""
    return tensor.contiguous().view(-1).view(torch.uint8)


def assert_the_same(tmp_path, make_net, monitor, callbacks=(), **options):
    left = []
    for watchers in ([], [monitor]):
        net = make_net()
        trainer = fit(net, tmp_path / str(len(watchers)), *watchers, *callbacks, **options)
        left.append(everything(net, trainer))
    assert monitor.failure is None
    assert len(left[0]) == len(left[1])
    assert all(map(same, *left))


@pytest.mark.parametrize("name", REAL)
def test_watching_everything_changes_no_bit_and_draws_no_random_number(tmp_path, name):
    monitor = LayerMonitor(quantities=EVERYTHING, biases=True, scalars_every_n_steps=1)
    assert_the_same(tmp_path, lambda: make(name), monitor)


@pytest.mark.parametrize("name", ["gpt", "resnet", "lstm"])
def test_a_sample_is_not_drawn_from_the_random_state(tmp_path, name):
    assert_the_same(tmp_path, lambda: make(name), LayerMonitor(max_elements=20))


@pytest.mark.parametrize("name", ["gpt", "resnet", "sparse_bag"])
def test_steps_that_are_left_out_are_no_different(tmp_path, name):
    monitor = LayerMonitor(schedule=lambda step: step == 5)
    assert_the_same(tmp_path, lambda: make(name), monitor, batches=make(name).batches(10))


@pytest.mark.parametrize(
    "options",
    [
        {"accumulate_grad_batches": 2},
        {"gradient_clip_val": 0.1},
        {"precision": "bf16-mixed"},
        {"precision": "bf16-true"},
        {"limit_val_batches": 2, "val_check_interval": 2},
        {"deterministic": True},
    ],
    ids=lambda options: "-".join(map(str, next(iter(options.items())))),
)
@pytest.mark.parametrize("kind", [Gpt, ResNet])
def test_no_option_of_the_trainer_lets_it_interfere(tmp_path, kind, options):
    assert_the_same(tmp_path, lambda: seeded(kind), LayerMonitor(quantities=EVERYTHING), **options)


@pytest.mark.parametrize("scale", [2.0**10, 2.0**30], ids=["held", "with_skipped_steps"])
@pytest.mark.parametrize("fused", [False, True])
def test_a_scaled_loss_is_scaled_and_skipped_as_without_it(tmp_path, scale, fused):
    left = []
    for watched in (False, True):
        scaler = torch.amp.GradScaler("cpu", init_scale=scale, backoff_factor=2.0**-8)
        net, monitors = seeded(Mlp, fused=fused), [LayerMonitor(quantities=EVERYTHING)] * watched
        plugins = [MixedPrecision("16-mixed", "cpu", scaler)]
        trainer = fit(net, tmp_path / str(watched), *monitors, plugins=plugins)
        left.append([*everything(net, trainer), scaler.get_scale()])
    assert all(map(same, *left))


@pytest.mark.parametrize("monitor_first", [True, False])
@pytest.mark.parametrize(
    "averaging",
    [
        lambda: EMAWeightAveraging(decay=0.9),
        lambda: StochasticWeightAveraging(swa_lrs=0.01, swa_epoch_start=1),
    ],
    ids=["ema", "swa"],
)
def test_averaged_weights_are_the_same(tmp_path, averaging, monitor_first):
    left = []
    for watched in (False, True):
        monitors = [LayerMonitor()] if watched else []
        callbacks = [*monitors, averaging()] if monitor_first else [averaging(), *monitors]
        net = seeded(ResNet)
        trainer = fit(net, tmp_path / str(watched), *callbacks, max_epochs=3)
        left.append(everything(net, trainer))
        assert all(monitor.failure is None for monitor in monitors)
    assert all(map(same, *left))


def test_a_loss_that_is_not_finite_is_none_of_its_business(tmp_path):
    class Diverging(Mlp):
        def loss(self, batch):
            return super().loss(batch) * float("inf")

    assert_the_same(tmp_path, lambda: seeded(Diverging), LayerMonitor(quantities=EVERYTHING))
