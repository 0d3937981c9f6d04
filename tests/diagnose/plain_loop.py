"""Figures of a plain PyTorch loop, the slow and obvious way: every tensor is kept and looked at."""

import math

import torch
from torch import nn

from layerscope.diagnose import Figures, LayerFacts

# name, bounds, odd, can die, whether an output is saturated
FUNCTIONS = {
    nn.Tanh: ("tanh", (-1.0, 1.0), True, True, lambda y: y.abs() > 0.97),
    nn.Hardtanh: ("hardtanh", (-1.0, 1.0), True, True, lambda y: y.abs() > 0.97),
    nn.Sigmoid: ("sigmoid", (0.0, 1.0), False, True, lambda y: (y - 0.5).abs() > 0.485),
    nn.Softmax: ("softmax", (0.0, 1.0), False, False, lambda y: y > 0.985),
    nn.ReLU6: ("relu6", (0.0, 6.0), False, True, lambda y: y > 5.91),
    nn.ReLU: ("relu", None, False, True, None),
    nn.LeakyReLU: ("leakyrelu", None, False, False, None),
    nn.GELU: ("gelu", None, False, False, None),
    nn.SiLU: ("silu", None, False, False, None),
    nn.ELU: ("elu", None, False, False, None),
    nn.LogSoftmax: ("logsoftmax", None, False, False, None),
}
NORMALIZATIONS = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
WINDOW = 1024  # samples that a unit must have been silent for to be dead


def choose(network):
    """(path, module that is hooked, module with the weight): Linear and Tanh in a row are one."""
    chosen = []
    for path, module in network.named_modules():
        if list(module.children()):
            continue
        parent = network.get_submodule(path.rpartition(".")[0])
        is_function = type(module) in FUNCTIONS
        has_weight = bool(list(module.parameters(recurse=False)))
        before = chosen[-1] if chosen else None
        if is_function and before and type(parent) is nn.Sequential and before[3] is parent:
            children = list(parent.children())
            place = children.index(module)
            if place and children[place - 1] is before[2] and type(before[1]) not in FUNCTIONS:
                chosen[-1] = (path, module, before[2], parent)
                continue
        if is_function or has_weight:
            chosen.append((path, module, module if has_weight else None, parent))
    return [(path, module, weighted) for path, module, weighted, _ in chosen]


class Measured:
    """Hooks on a network that keep all outputs, and what is counted from them in each step."""

    def __init__(self, network):
        self.network = network
        self.layers = choose(network)
        self.names = [
            f"{i:02d}_{type(module).__name__.lower()}"
            for i, (_, module, _) in enumerate(self.layers)
        ]
        self.outputs = {}
        self.finite_inputs = {}
        self.order = {}
        self.silent_samples = {}
        self.silent_since = {}
        self.rows = []
        for name, (_, module, _) in zip(self.names, self.layers, strict=True):
            module.register_forward_hook(self._hook(name))

    def _hook(self, name):
        def hook(module, inputs, output):
            if not torch.is_grad_enabled():
                return
            output = output[0] if isinstance(output, tuple) else output
            if output.requires_grad:
                output.retain_grad()
            self.outputs.setdefault(name, []).append(output)
            finite = all(torch.isfinite(x).all() for x in inputs if x.is_floating_point())
            self.finite_inputs.setdefault(name, finite)
            self.order.setdefault(name, len(self.order))

        return hook

    def begin(self):
        self.outputs.clear()
        self.finite_inputs.clear()
        self.before = [
            None if weighted is None else next(weighted.parameters()).detach().clone()
            for _, _, weighted in self.layers
        ]

    def gradients(self):
        """To be called after backward and what tampers with it, before the optimizer's step."""
        self.weight_grads = [
            None
            if weighted is None or (grad := next(weighted.parameters()).grad) is None
            else grad.detach().clone()
            for _, _, weighted in self.layers
        ]

    def end(self, step, **of_step):
        row = {}
        for i, (name, (_, module, weighted)) in enumerate(
            zip(self.names, self.layers, strict=True)
        ):
            figures = row[name] = {}
            if name in self.outputs:
                self._of_outputs(step, name, module, figures)
            grad = self.weight_grads[i]
            if grad is not None:
                figures["weight_grad_rms"] = rms(grad)
                figures["weight_grad_nonfinite"] = int((~torch.isfinite(grad)).sum())
            if weighted is not None:
                after, before = next(weighted.parameters()).detach(), self.before[i]
                figures["weight_rms"] = rms(before)
                update = rms(after - before)
                size = rms(before)
                figures["update_to_weight"] = update / size if size else math.nan
        self.rows.append((step, row, of_step))

    def _of_outputs(self, step, name, module, figures):
        channels = self.outputs[name][0].dim() == 4 and not isinstance(module, nn.Softmax)
        by_unit = []
        for output in self.outputs[name]:
            y = output.detach()
            y = y.movedim(1, -1) if channels else y
            by_unit.append(y.reshape(-1, y.shape[-1]))
        y = torch.cat(by_unit).double()
        finite = y[torch.isfinite(y)]
        figures["activation_count"] = y.numel()
        figures["activation_nonfinite"] = y.numel() - finite.numel()
        if finite.numel():
            figures["activation_mean"] = float(finite.mean())
            figures["activation_std"] = float(finite.std(correction=0))
            figures["activation_min"] = float(finite.min())
            figures["activation_max"] = float(finite.max())
        figures["zeros"] = float((y == 0).double().mean())
        figures["units"] = y.shape[1]
        figures["inputs_finite"] = float(self.finite_inputs[name])
        size = float(y.abs().max())
        if size and math.isfinite(size):
            figures["unit_spread"] = float((y.amax(0) - y.amin(0)).max()) / size
        function = FUNCTIONS.get(type(module))
        if function and function[4]:
            figures["saturated"] = float(function[4](y).double().mean())
        if function and function[3]:
            flat = function[4](y) if function[4] else torch.zeros_like(y, dtype=torch.bool)
            is_relu = type(module) in (nn.ReLU, nn.ReLU6)
            self._of_units(step, name, ~flat & ((y > 0) | (not is_relu)), figures)
        grads = [o.grad for o in self.outputs[name] if o.requires_grad and o.grad is not None]
        if grads:
            grad = torch.cat([g.reshape(-1) for g in grads])
            figures["activation_grad_rms"] = rms(grad)
            figures["activation_grad_nonfinite"] = int((~torch.isfinite(grad)).sum())

    def _of_units(self, step, name, y, figures):
        active = y.any(0)
        samples = self.silent_samples.setdefault(name, torch.zeros(y.shape[1]))
        since = self.silent_since.setdefault(name, torch.full((y.shape[1],), step))
        since[active] = step + 1
        samples += len(y)
        samples[active] = 0
        dead = samples >= WINDOW
        figures["silent_units"] = int((~active).sum())
        figures["dead_units"] = int(dead.sum())
        if dead.any():
            figures["dead_since"] = int(since[dead].min())

    def facts(self):
        reached = max(self.order.values(), default=-1)
        facts = []
        for name, (path, module, weighted) in zip(self.names, self.layers, strict=True):
            function = FUNCTIONS.get(type(module), (None, None, False, False, None))
            order = self.order.get(name, -1)
            facts.append(
                LayerFacts(
                    name,
                    path,
                    type(module).__name__,
                    order,
                    *function[:4],
                    normalizes=isinstance(module, NORMALIZATIONS),
                    weights=() if weighted is None else ("weight",),
                    trainable=weighted is not None
                    and any(p.requires_grad for p in weighted.parameters()),
                    last=order == reached,
                )
            )
        return tuple(facts)

    def figures(self):
        facts = self.facts()
        figures = Figures.empty(facts, [step for step, _, _ in self.rows])
        for place, (_, row, of_step) in enumerate(self.rows):
            for column, layer in enumerate(facts):
                for figure, value in row[layer.name].items():
                    figures[figure][place, column] = value
            for figure, value in of_step.items():
                figures[figure][place] = value
        return figures


def rms(tensor):
    return float(tensor.double().square().mean().sqrt())


def train(network, batches, loss_of, optimizer, *, scheduler=None, tamper=None, clip=None):
    """Train on the batches and return the figures of all steps.

    tamper(step, network, when) is called with when = "before" the forward pass and, after backward,
    with when = "gradients".
    """
    measured = Measured(network)
    network.train()
    for step, batch in enumerate(batches):
        if tamper:
            tamper(step, network, "before")
        measured.begin()
        optimizer.zero_grad()
        loss = loss_of(network, batch)
        loss.backward()
        if tamper:
            tamper(step, network, "gradients")
        measured.gradients()
        rate = optimizer.param_groups[0]["lr"]
        factor = 1.0
        if clip is not None:
            norm = float(nn.utils.clip_grad_norm_(network.parameters(), clip))
            factor = min(1.0, clip / norm)
        optimizer.step()
        if scheduler:
            scheduler.step()
        loss = float(loss.detach())
        loss = loss if math.isfinite(loss) else math.inf
        measured.end(step, loss=loss, learning_rate=rate, clip_factor=factor, skipped=0.0)
    return measured.figures()
