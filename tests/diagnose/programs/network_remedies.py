"""Remedies of a network: how it starts, what stands at its ends, what it is made of."""

import torch
from torch import nn

from tests.diagnose.programs.remedy import ByHandError, Remedy

_ACTIVATIONS = (nn.Sigmoid, nn.Softmax, nn.Tanh, nn.ReLU, nn.Softplus, nn.LogSoftmax)


def _weighted(network):
    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    return [module for module in network.modules() if isinstance(module, kinds)]


def started(init):
    """Weights drawn anew, biases of zero; embeddings as in BERT."""

    @torch.no_grad()
    def change(network):
        for module in _weighted(network):
            init(module.weight)
            if module.bias is not None:
                module.bias.zero_()
        for module in network.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, 0, 0.02)

    return Remedy(network=change)


def standardised_inputs(_):
    def change(network):
        known = {}

        def scale(module, inputs, named):
            def scaled(name, x):
                if not (isinstance(x, torch.Tensor) and x.is_floating_point()):
                    return x
                if name not in known:  # of the first batch: features last, or channels second
                    axes = [a for a in range(x.ndim) if a != (1 if x.ndim > 3 else x.ndim - 1)]
                    mean, std = x.mean(axes, keepdim=True), x.std(axes, keepdim=True)
                    known[name] = mean, std.clamp(min=1e-6)
                return (x - known[name][0]) / known[name][1]

            inputs = tuple(scaled(place, x) for place, x in enumerate(inputs))
            return inputs, {name: scaled(name, x) for name, x in named.items()}

        network.register_forward_pre_hook(scale, with_kwargs=True)

    return Remedy(network=change)


def last_function(replacement):
    """Another module, or none, at the end of a network that is a Sequential."""

    def change(network):
        *_, (name, last) = network.named_children()
        if not (isinstance(network, nn.Sequential) and isinstance(last, _ACTIVATIONS)):
            raise ByHandError
        network._modules[name] = replacement

    return change


def after_the_network(function):
    """A function of all that the network gives."""
    return lambda network: network.register_forward_hook(lambda *call: function(call[2]))


def softmax_over_classes(_):
    def change(network):
        found = [m for m in network.modules() if isinstance(m, nn.Softmax | nn.LogSoftmax)]
        if not found:
            raise ByHandError
        for module in found:
            module.dim = -1

    return Remedy(network=change)


def batch_first(is_first):
    def change(network):
        for module in network.modules():
            if hasattr(module, "batch_first"):
                module.batch_first = is_first

    return lambda _: Remedy(network=change)


def with_functions_between(_):
    def change(network):
        if not isinstance(network, nn.Sequential):
            raise ByHandError
        for module in list(network.modules()):
            parts = list(module.children())
            if isinstance(module, nn.Sequential):
                module._modules.clear()
                for part in parts:
                    if len(module) and isinstance(part, nn.Linear):
                        before = list(module.children())[-1]
                        if isinstance(before, nn.Linear):
                            module.append(nn.ReLU())
                    module.append(part)

    return Remedy(network=change)


def less_dropout(_):
    def change(network):
        for module in network.modules():
            if isinstance(getattr(module, "p", None), float):  # a dropout, or what calls one
                module.p = min(module.p, 0.3)

    return Remedy(network=change, in_evaluation=True)


def tanh_for_sigmoid(_):
    def change(network):
        for module in network.modules():
            for name, part in module.named_children():
                if isinstance(part, nn.Sigmoid) and part is not list(network.modules())[-1]:
                    setattr(module, name, nn.Tanh())
        started(nn.init.xavier_normal_).network(network)

    return Remedy(network=change)


def smaller_last(_):
    @torch.no_grad()
    def change(network):
        last = _weighted(network)[-1] if _weighted(network) else None
        for module in network.modules():
            if isinstance(module, nn.Embedding):
                module.weight.mul_(module.embedding_dim**-0.5 / module.weight.std())
        if last is not None:
            nn.init.kaiming_normal_(last.weight, nonlinearity="linear")
            if last.bias is not None:
                last.bias.zero_()

    return Remedy(network=change)


def small_last_biases(_):
    @torch.no_grad()
    def change(network):
        bias = _weighted(network)[-1].bias
        if bias is None or bias.abs().max() < 1:
            raise ByHandError  # a factor in the forward
        bias.zero_()

    return Remedy(network=change)


def zero_biases(_):
    @torch.no_grad()
    def change(network):
        biases = [each.bias for each in _weighted(network) if each.bias is not None]
        if max(bias.abs().max() for bias in biases) < 1:
            raise ByHandError  # of the data, or of weights of one sign
        for bias in biases:
            bias.zero_()

    return Remedy(network=change)


def with_running_statistics(_):
    def change(network):
        for module in network.modules():
            if hasattr(module, "running_mean"):
                module.momentum = 0.1

    return Remedy(network=change, in_evaluation=True)


def in_float32(_):
    def change(network):
        network.float()
        network.forward = torch.autocast("cpu", torch.bfloat16)(network.forward)

    return Remedy(network=change)


_LARGE_GAIN = 3.0
"""Variance of weights times fan-in, above Kaiming's 2."""


def smaller_large_weights(_):
    @torch.no_grad()
    def change(network):
        for module in network.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                rms, fan_in = module.weight.square().mean().sqrt(), module.weight[0].numel()
                if rms**2 * fan_in > _LARGE_GAIN:
                    module.weight.mul_(fan_in**-0.5 / rms)
            for name, weight in module.named_parameters(recurse=False):
                if name.startswith("weight_hh"):
                    rms, states = weight.square().mean().sqrt(), weight.shape[1]
                    if rms**2 * states > _LARGE_GAIN and len(weight) == states:
                        nn.init.orthogonal_(weight)
                    elif rms**2 * states > _LARGE_GAIN:
                        weight.mul_((3 * states) ** -0.5 / rms)  # as torch draws them

    return Remedy(network=change)


def balanced(_):
    """The loss of Fedus et al. 2022, section 2.2, of each router that chooses among a list of
    modules.
    """
    found = []

    def change(network):
        for module in network.modules():
            lists = [len(part) for part in module.children() if isinstance(part, nn.ModuleList)]
            for part in module.children():
                if isinstance(part, nn.Linear) and part.out_features in lists:
                    part.register_forward_hook(lambda *call: found.append(call[2]))
        if not any(m._forward_hooks for m in network.modules()):
            raise ByHandError

    def balance(_):
        total = 0.0
        for scores in found:
            p = scores.flatten(0, -2).softmax(-1)
            share = nn.functional.one_hot(p.argmax(-1), p.shape[1]).float().mean(0)
            total = total + 0.01 * p.shape[1] * (share * p.mean(0)).sum()
        found.clear()
        return total

    return Remedy(network=change, beside=balance)


def causal_mask(_):
    """A mask for each of torch's attentions that has none."""

    def change(network):
        found = [m for m in network.modules() if isinstance(m, nn.MultiheadAttention)]
        if not found:
            raise ByHandError

        def masked(module, inputs, named):
            if named.get("attn_mask") is not None:
                raise ByHandError
            length = inputs[0].shape[1 if module.batch_first else 0]
            mask = nn.Transformer.generate_square_subsequent_mask(length)
            return inputs, {**named, "attn_mask": mask}

        for module in found:
            module.register_forward_pre_hook(masked, with_kwargs=True)

    return Remedy(network=change, comparable=False)
