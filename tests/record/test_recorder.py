import copy
import math
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from layerscope.quantity import Quantity
from layerscope.record import Channel, Recorder, RecorderOptions, choose_layers
from layerscope.record.observation import LOSS


def make_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Embedding(7, 3), nn.Flatten(), nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8),
        nn.ReLU(inplace=True), nn.Linear(8, 7)
    )  # fmt: skip


def make_batch(seed=0, size=5):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randint(7, (size, 2), generator=generator),
        torch.randint(7, (size,), generator=generator),
    )


@contextmanager
def watched(network, options=None):
    recorder = Recorder(choose_layers(network), options)
    recorder.attach()
    yield recorder
    recorder.detach()


def observe(recorder, network, batches, **options):
    recorder.state.counting = True
    network.zero_grad()
    for contexts, targets in batches:
        cross_entropy(network(contexts), targets).backward()
    recorder.measure_gradients()
    recorder.measure_weights()
    return recorder.observe(0, **options).moments()


def reference(network, batches):
    """The same, with retained gradients, out of a plain loop."""
    outputs = {index: [] for index in (0, 3, 5, 6)}
    network.zero_grad()
    for contexts, targets in batches:
        x = contexts
        for index, module in enumerate(network):
            x = module.forward(x.clone() if index == 5 else x)
            if index in outputs:
                x.retain_grad()
                outputs[index].append(x)
        cross_entropy(x, targets).backward()
    tensors = {}
    for name, index, weighted in (
        ("00_embedding", 0, 0), ("01_tanh", 3, 2), ("02_relu", 5, 4), ("03_linear", 6, 6),
    ):  # fmt: skip
        tensors["activation", name] = torch.cat(outputs[index]).detach()
        tensors["activation_grad", name] = torch.cat([x.grad for x in outputs[index]])
        tensors["weight", name] = network[weighted].weight.detach()
        tensors["weight_grad", name] = network[weighted].weight.grad
    return tensors


@pytest.mark.parametrize("micro_batches", [1, 3])
def test_all_quantities_are_those_of_a_plain_loop(micro_batches):
    network = make_network()
    batches = [make_batch(seed) for seed in range(micro_batches)]
    with watched(network) as recorder:
        found = observe(recorder, network, batches)
    expected = reference(network, batches)
    assert {(c.quantity, c.layer) for c in found} == set(expected)
    for channel, moments in found.items():
        tensor = expected[channel.quantity, channel.layer].double()
        assert moments.count == tensor.numel(), channel
        assert moments.mean == pytest.approx(tensor.mean().item(), rel=1e-5, abs=1e-9), channel
        assert moments.std == pytest.approx(tensor.std().item(), rel=1e-5), channel
        assert moments.zeros == (tensor == 0).sum(), channel


def test_channels_follow_the_quantities_asked_for():
    layers = choose_layers(make_network())
    quantities = {
        c.quantity for c in Recorder(layers, RecorderOptions(("activation",))).plan.channels
    }
    assert quantities == {"activation"}
    quantities = {c.quantity for c in Recorder(layers, RecorderOptions(biases=True)).plan.channels}
    assert quantities == {
        *("activation", "activation_grad", "weight", "weight_grad", "bias", "bias_grad")
    }


def test_tags_are_quantity_and_layer():
    assert Channel(Quantity.WEIGHT_GRAD, "01_tanh").tag == "weight_grad/01_tanh"


def test_a_parameter_with_a_name_of_its_own_is_told_apart():
    layers = choose_layers(nn.ModuleDict({"lstm": nn.LSTM(2, 3)}))
    tags = {c.tag for c in Recorder(layers, RecorderOptions(("weight",))).plan.channels}
    assert tags == {"weight/00_lstm.weight_ih_l0", "weight/00_lstm.weight_hh_l0"}


def test_hooks_are_on_until_they_are_taken_off():
    network = make_network()
    with watched(network):
        assert sum(len(m._forward_hooks) for m in network.modules()) == 4
    assert sum(len(m._forward_hooks) for m in network.modules()) == 0


def test_nothing_is_counted_while_not_counting():
    network = make_network()
    with watched(network) as recorder:
        network(make_batch()[0])
        assert recorder.observe(0).moments() == {}


def test_a_step_without_weights_has_only_the_other_channels():
    network = make_network()
    with watched(network) as recorder:
        recorder.state.counting = True
        network(make_batch()[0])
        recorder.carry(LOSS, torch.tensor(1.0))
        recorder.carry(LOSS, torch.tensor(1.5))
        observation = recorder.observe(4, weights=False)
    assert (observation.step, observation.loss) == (4, 2.5)
    assert {c.quantity for c in observation.channels} == {
        *("activation", "activation_grad", "weight_grad")
    }
    assert {c.quantity for c in observation.moments()} == {"activation"}


def test_recording_changes_no_gradient_and_no_random_state():
    gradients, states = [], []
    for watched in (False, True):
        network = make_network()
        recorder = Recorder(choose_layers(network))
        if watched:
            recorder.attach()
        recorder.state.counting = True
        contexts, targets = make_batch()
        cross_entropy(network(contexts), targets).backward()
        gradients.append([p.grad for p in network.parameters()])
        states.append(torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert torch.equal(*states)


def test_a_layer_without_gradient_is_recorded_without_it():
    network = make_network().requires_grad_(False)
    with watched(network) as recorder:
        recorder.state.counting = True
        network(make_batch()[0])
        recorder.measure_gradients()
        found = recorder.observe(0, weights=False).moments()
    assert {c.quantity for c in found} == {"activation"}


def test_a_bounded_function_counts_its_saturated_outputs():
    network = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid())
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(4) * 10)
        network[0].bias.zero_()
    options = RecorderOptions(("activation",), saturation_threshold=0.9)
    with watched(network, options) as recorder:
        recorder.state.counting = True
        output = network(torch.tensor([[-1.0, -0.2, 0.2, 1.0], [0.0, 0.3, 5.0, -0.31]]))
        (moments,) = recorder.observe(0).moments().values()
    assert moments.outside == int(((output < 0.05) | (output > 0.95)).sum()) == 5


def test_a_copy_of_the_network_is_not_measured(tmp_path):
    network = make_network()
    with watched(network) as recorder:
        recorder.state.counting = True
        copied = copy.deepcopy(network)
        torch.save(network, tmp_path / "network.pt")
        loaded = torch.load(tmp_path / "network.pt", weights_only=False)
        for other in (copied, loaded):
            assert torch.equal(other(make_batch()[0]), network(make_batch()[0]))
        counted = {
            c.layer: m.count for c, m in recorder.observe(0, weights=False).moments().items()
        }
    assert counted["03_linear"] == 2 * 5 * 7  # the network's own two forwards


def test_bad_arguments_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match=r"quantities must be among .*, got 'loss'"):
        RecorderOptions(("loss",))
    for threshold in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="saturation_threshold must be above 0 and below 1"):
            RecorderOptions(saturation_threshold=threshold)
    with pytest.raises(ValueError, match="dead_window must be at least 1, got 0"):
        RecorderOptions(dead_window=0)
