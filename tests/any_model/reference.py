"""What a monitor should have measured, the slow, obvious way: a plain loop that keeps everything.

No hook is used: each layer's `forward` is replaced by one that keeps a copy of what it returned and
hands another copy on, which the net may then change in place.
"""

import dataclasses

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence

from layerscope.record import choose_layers
from tests.any_model.training import seed_all


@dataclasses.dataclass
class Step:
    """One optimizer step: all elements by (quantity, layer's name), as flat float64 arrays."""

    optimizer: int
    learning_rate: float
    elements: dict
    clip_factor: float = 1.0
    skipped: bool = False


class Witness:
    """Keeps what every layer of a net does, and turns it into Steps.

    Only names are taken from LayerScope: `choose_layers` has tests of its own.
    """

    def __init__(self, net, optimizers, per_call=False):
        self.layers = choose_layers(net)
        self.optimizers = optimizers
        self.per_call = per_call
        self.steps = []
        self._kept = []  # (entry's name, values at the time, the tensor)
        self._calls = {}
        self._latest = None  # the layer that was called last, and where it stood
        self._places = {}  # of an activation function: the layer before, and the name it has there
        for layer in self.layers:
            if layer.has_output:
                self._wrap(layer)
        self.parameters = {}  # entry's name and kind -> parameter, each under its first name
        for layer in self.layers:
            for name, parameter in layer.parameters:
                if not any(parameter is known for known in self.parameters.values()):
                    last = name.split(".")[-1]  # in_proj_bias, bias_hh_l0, out_proj.bias
                    is_bias = last.startswith("bias") or last.endswith("bias")
                    kind = "bias" if is_bias else "weight"
                    entry = layer.name if name == kind else f"{layer.name}.{name}"
                    self.parameters[kind, entry] = parameter

    def _wrap(self, layer):
        forward = layer.module.forward

        def keeping(*arguments, **options):
            name = layer.name
            if self.per_call:
                call = self._calls[name] = self._calls.get(name, -1) + 1
                name = f"{name}.call_{call}"
            elif layer.nonlinearity is not None and not layer.parameters:
                name = self._place(layer)
            output = forward(*arguments, **options)
            self._latest = layer, name
            return self._keep(name, output)

        layer.module.forward = keeping

    def _place(self, layer):
        """What one activation function is called where it stands now: after which layer."""
        places = self._places.setdefault(layer.name, {})
        if self._latest is None:
            return layer.name
        latest, name = self._latest
        if latest is layer:
            return name
        new = f"{name}/{layer.nonlinearity.name}" if places else layer.name
        return places.setdefault(name, new)

    def _keep(self, name, output):
        """Keep every floating tensor of an output; the output with copies in their places."""
        if isinstance(output, torch.Tensor):
            if not output.is_floating_point():
                return output
            if output.requires_grad:
                output.retain_grad()
            self._kept.append((name, flat([output]), output))
            return output.clone()
        if isinstance(output, PackedSequence):
            return output._replace(data=self._keep(f"{name}.data", output.data))
        if isinstance(output, dict):
            parts = {key: self._keep(f"{name}.{key}", part) for key, part in output.items()}
            return type(output)(**parts)
        if dataclasses.is_dataclass(output):
            names = [field.name for field in dataclasses.fields(output)]
            return dataclasses.replace(
                output, **{key: self._keep(f"{name}.{key}", getattr(output, key)) for key in names}
            )
        if hasattr(output, "_fields"):
            return output._replace(
                **{key: self._keep(f"{name}.{key}", part) for key, part in output._asdict().items()}
            )
        if isinstance(output, tuple | list):
            return type(output)(
                self._keep(f"{name}.{index}", part) for index, part in enumerate(output)
            )
        return output

    def before(self, optimizer, loss_scale=1.0):
        """An optimizer is about to step: what it receives, and what led to it."""
        stepping = [p for group in optimizer.param_groups for p in group["params"]]
        elements = {}
        for name in dict.fromkeys(name for name, _, _ in self._kept):
            kept = [(values, tensor) for known, values, tensor in self._kept if known == name]
            elements["activation", name] = np.concatenate([values for values, _ in kept])
            gradients = [tensor.grad for _, tensor in kept if tensor.requires_grad]
            gradients = [gradient for gradient in gradients if gradient is not None]
            if gradients:
                elements["activation_grad", name] = flat(gradients) / loss_scale
        for (kind, name), parameter in self.parameters.items():
            elements[kind, name] = flat([parameter])
            if any(parameter is each for each in stepping) and parameter.grad is not None:
                elements[f"{kind}_grad", name] = flat([parameter.grad])
        self.forget()
        self.steps.append(
            Step(self.optimizers.index(optimizer), optimizer.param_groups[0]["lr"], elements)
        )

    def after(self, optimizer):
        """It has stepped: what became of the weights."""
        stepping = [p for group in optimizer.param_groups for p in group["params"]]
        elements = self.steps[-1].elements
        for (kind, name), parameter in self.parameters.items():
            if kind == "weight" and any(parameter is each for each in stepping):
                elements["update", name] = flat([parameter]) - elements["weight", name]

    def forget(self):
        """Drop what is kept of forward passes: those of an LBFGS closure beyond the first."""
        self._kept.clear()
        self._latest = None
        self._calls.clear()


def flat(tensors):
    """All elements of tensors as one float64 array; of a sparse one, those of the touched rows."""
    dense = [
        tensor.detach().coalesce().values() if tensor.is_sparse else tensor.detach()
        for tensor in tensors
    ]
    return np.concatenate([tensor.double().flatten().numpy().copy() for tensor in dense])


def run_plainly(
    net, batches=None, per_call=False, accumulate=1, clip=None, dtype=None, scaler=None
):
    """Train a net in a plain loop, as `training.fit` does under Lightning; its Steps.

    accumulate: micro-batches of a step. clip: what changes the gradients before the step. dtype:
    of the autocast forward pass. scaler: a torch.amp.GradScaler.
    """
    optimizers = net.configure_optimizers()
    optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
    witness = Witness(net, optimizers, per_call)
    net.train()
    seed_all()
    batches = net.batches() if batches is None else batches
    if not net.automatic_optimization:
        _manually(net, batches, witness)
    elif scaler is not None:
        _scaled(net, batches, witness, dtype, scaler)
    else:
        _automatically(net, batches, witness, accumulate, clip, dtype)
    return witness.steps


def _automatically(net, batches, witness, accumulate, clip, dtype):
    (optimizer,) = witness.optimizers
    for start in range(0, len(batches), accumulate):
        evaluations = 0

        def closure(start=start):
            nonlocal evaluations
            optimizer.zero_grad()
            for index in range(start, min(start + accumulate, len(batches))):
                with torch.autocast("cpu", dtype, enabled=dtype is not None, cache_enabled=False):
                    loss = net.training_step(batches[index], index) / accumulate
                loss.backward()
            if evaluations == 0:
                witness.before(optimizer)
            else:
                witness.forget()
            evaluations += 1
            if clip is not None:
                before = norm_of_gradients(net)
                clip(list(net.parameters()))
                witness.steps[-1].clip_factor = norm_of_gradients(net) / before
            return loss

        optimizer.step(closure)
        witness.after(optimizer)


def _scaled(net, batches, witness, dtype, scaler):
    (optimizer,) = witness.optimizers
    for index, batch in enumerate(batches):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype, cache_enabled=False):
            loss = net.training_step(batch, index)
        scaler.scale(loss).backward()
        scale = scaler.get_scale()
        scaler.unscale_(optimizer)
        witness.before(optimizer, loss_scale=scale)
        scaler.step(optimizer)
        witness.after(optimizer)
        scaler.update()
        witness.steps[-1].skipped = scaler.get_scale() < scale


def norm_of_gradients(net):
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    return np.linalg.norm(flat(gradients))


def _manually(net, batches, witness):
    net.optimizers = lambda: witness.optimizers
    net.manual_backward = lambda loss: loss.backward()
    for optimizer in witness.optimizers:
        optimizer.register_step_pre_hook(lambda each, *_: witness.before(each))
        optimizer.register_step_post_hook(lambda each, *_: witness.after(each))
    for index, batch in enumerate(batches):
        net.training_step(batch, index)


FIGURES = {
    "activation_count": ("activation", len),
    "activation_mean": ("activation", lambda x: x[np.isfinite(x)].mean()),
    "activation_std": ("activation", lambda x: x[np.isfinite(x)].std(ddof=1)),
    "activation_min": ("activation", lambda x: x[np.isfinite(x)].min()),
    "activation_max": ("activation", lambda x: x[np.isfinite(x)].max()),
    "activation_nonfinite": ("activation", lambda x: np.count_nonzero(~np.isfinite(x))),
    "zeros": ("activation", lambda x: np.count_nonzero(x == 0) / len(x)),
    "activation_grad_rms": ("activation_grad", lambda x: rms(x[np.isfinite(x)])),
    "activation_grad_nonfinite": ("activation_grad", lambda x: np.count_nonzero(~np.isfinite(x))),
    "weight_grad_rms": ("weight_grad", lambda x: rms(x[np.isfinite(x)])),
    "weight_grad_nonfinite": ("weight_grad", lambda x: np.count_nonzero(~np.isfinite(x))),
    "weight_rms": ("weight", lambda x: rms(x)),
}
"""A figure's quantity, and how it follows from all elements."""


def rms(x):
    return np.sqrt(np.mean(np.square(x)))


def expected_figure(step, figure, name):
    """A figure of one layer in one step; NaN where there was nothing to measure."""
    if figure == "update_to_weight":
        update, weight = (step.elements.get((kind, name)) for kind in ("update", "weight"))
        return np.nan if update is None or not weight.any() else rms(update) / rms(weight)
    quantity, compute = FIGURES[figure]
    elements = step.elements.get((quantity, name))
    return np.nan if elements is None else compute(elements)


def assert_figures_are_those_of(steps, written, only=FIGURES, rtol=1e-4):
    """Each figure of each layer in each step, within what float32 and its order of sums allow."""
    assert written.steps.tolist() == list(range(len(steps)))
    names = [facts.name for facts in written.layers]
    measured = {n for step in steps for kind, n in step.elements if not kind.startswith("bias")}
    assert measured <= set(names)
    for figure in only:
        expected = [[expected_figure(step, figure, name) for name in names] for step in steps]
        # Nothing measured may be said as NaN or as none of it.
        found = np.where(np.isnan(expected) & (written[figure] == 0), np.nan, written[figure])
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-9, err_msg=figure)
