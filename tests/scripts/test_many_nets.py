"""Many networks at once are each of them by itself."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from layerscope.lab.data import NotebookData
from layerscope.lab.init import InitScheme, variance_scaling
from layerscope.lab.mlp import MLP
from scripts.many_nets import Nets, at_start, drawn, train


def notebook():
    data = NotebookData()
    data.setup()
    return data


def test_step_0_of_a_stack_is_that_of_each_network_alone():
    data = notebook()
    contexts, targets = next(iter(data.train_dataloader()))
    nets = Nets(drawn((3, 5), data, "kaiming", "relu", depth=2))
    stacked = at_start(nets, (contexts, targets))
    for place, seed in enumerate((3, 5)):
        network = MLP(27, 1, 27, depth=2, activation="relu")
        scheme = InitScheme(variance_scaling(2.0, "fan_in", "normal"))
        scheme(network, torch.Generator().manual_seed(seed))
        outputs = []

        def keep(_module, _inputs, output, kept=outputs):
            output.retain_grad()
            kept.append(output)

        for module in (network.get_submodule("1"), network.get_submodule("3")):
            module.register_forward_hook(keep)
        cross_entropy(network(contexts), targets).backward()
        std = [output.std().item() for output in outputs]
        grad = [output.grad.square().mean().sqrt().item() for output in outputs]
        weights = [network.get_submodule(name).weight for name in ("0", "2", "logits")]
        np.testing.assert_allclose(stacked.std[place], std, rtol=1e-4)
        np.testing.assert_allclose(stacked.grad[place], grad, rtol=1e-4)
        mean_abs = [weight.grad.abs().mean().item() for weight in weights]
        np.testing.assert_allclose(stacked.weight_grad[place], mean_abs, rtol=1e-4)


def test_each_network_is_trained_by_its_own_loss():
    data = notebook()
    nets = Nets(drawn((3, 5), data, "kaiming", depth=2))
    before = [each.detach().clone() for each in nets.parameters]
    with torch.no_grad():
        nets.biases[-1][1] = torch.nan  # the second one is lost
    train(nets, data, 0.01, 2)
    for now, then in zip(nets.parameters, before, strict=True):
        assert now[0].isfinite().all()
        assert not torch.equal(now[0], then[0])
