"""Many nets trained at once, each seen by the instrument as if it were alone.

Only the training is done together. Each net has rows of its own in a tally of its own, the figures
come from `StepFigures`, and the verdict from `Judge`. What the stack cannot tell, the facts of the
layers and what was seen of data, loss and optimizer, is taken from one net of the shape that
`layerscope.watch` has watched: it is the same for all of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import layerscope
from layerscope.diagnose import Figures, Finding, Judge
from layerscope.diagnose.figures import LAYER_FIGURES, STEP_FIGURES
from layerscope.lab.mlp import MLP
from layerscope.measure.pending import Pending
from layerscope.record import Observation, Recorder, choose_layers, is_keyframe
from layerscope.record.observation import LOSS
from layerscope.record.updates import Updates
from layerscope.session.settings import Settings
from layerscope.session.step_figures import StepFigures
from scripts.many_nets import Nets

Batch = tuple[Tensor, Tensor]
Optimizer = Callable[[Iterable[Tensor]], torch.optim.Optimizer]
Tamper = Callable[[int, Nets, str], None]
"""Called with the step, the nets, and "before" the forward pass or "gradients" after the backward
pass: it changes what it likes."""

SETTINGS = Settings(summary=False, images=False)
_SHARED_OF_STEP = [
    column
    for column, name in enumerate(STEP_FIGURES)
    if not name.startswith("output_") and name not in ("logit_z", "monitor_ms", "step_ms")
]
_SHARED_OF_LAYER = [
    list(LAYER_FIGURES).index(name) for name in ("owned", "no_gradient", "weight_row_spread")
]


@dataclass(frozen=True)
class Watched:
    """What was seen of one net.

    Attributes:
        figures: of every step.
        findings: by the project's rules and thresholds, causes first.
        buckets: float32 [kept steps, outputs, 30, 3] of the activations of the embedding, the
            hidden layers and the logits: left, right, count.
    """

    figures: Figures
    findings: Sequence[Finding]
    buckets: npt.NDArray[np.float32]


def watch_alone(network: MLP, batches: Sequence[Batch], optimizer: Optimizer) -> Watched:
    """Train one net in a plain loop under `layerscope.watch`; its buckets are those of all steps."""
    chosen = optimizer(network.parameters())
    with TemporaryDirectory() as folder:
        with layerscope.watch(network, folder, summary=False, images=False) as watcher:
            for contexts, targets in batches:
                chosen.zero_grad()
                loss = cross_entropy(network(contexts), targets)
                loss.backward()
                chosen.step()
                watcher.step(loss)
        run = layerscope.read(folder)
        assert run.figures is not None
        buckets = [run.histograms[f"activation/{f.name}"].buckets for f in run.figures.layers]
        return Watched(run.figures, run.findings, np.stack(buckets, 1))


class _One:
    """A net of the stack, and the rows that measure it."""

    def __init__(self, network: MLP) -> None:
        self.plan = Recorder(choose_layers(network), SETTINGS.options, network).plan
        self.updates = Updates([each.parameter for each in self.plan.parameters])
        self.observations: list[Observation] = []
        self.buckets: list[npt.NDArray[np.float32]] = []

    def begin(self, updating: bool, weights: bool) -> None:
        """Measure what the step starts from."""
        parameters = self.plan.parameters
        if weights:
            self.plan.tally.add_all([(p.value, p.parameter) for p in parameters], whole=True)
        if updating:
            self.updates.begin([True] * len(parameters))

    def end(self, step: int, outputs: Sequence[Batch], loss: Tensor, lr: float, **due: bool) -> None:
        """Measure the layers' outputs and their gradients, the weights' gradients and updates."""
        plan, held = self.plan, self.plan.held
        assert held is not None
        for of, (output, gradient) in zip(plan.outputs, outputs, strict=True):
            held.hold(of.activation, output, of.unit_row)
            held.hold(of.gradient, gradient)
        gradients = [(p.gradient, g) for p in plan.parameters if (g := p.parameter.grad) is not None]
        held.measure(True, gradients)
        plan.tally.carry(LOSS, loss)
        channels = plan.channels if due["weights"] else plan.channels[: plan.without_weights]
        reading = plan.tally.read(len(channels)).get()
        held.release()
        if due["kept"]:
            rows = [output.activation for output in plan.outputs]
            self.buckets.append(reading.linear[rows].copy())
        self.observations.append(
            Observation(
                step,
                channels,
                Pending.at_hand(reading),
                plan.units.read(step),
                self.updates.end().reading() if due["updating"] else None,
                learning_rate=lr,
            )
        )

    def watched(self, alone: Figures) -> Watched:
        """Figures and verdict, with what is not of the net taken from one that was alone."""
        plan = self.plan
        names = [output.name for output in plan.outputs]
        formulas = StepFigures(
            alone.layers, plan.channels, names, [each.channel for each in plan.parameters]
        )
        figures = formulas.of(self.observations)
        for made, known, shared in (
            (figures.of_steps, alone.of_steps, _SHARED_OF_STEP),
            (figures.of_layers, alone.of_layers, _SHARED_OF_LAYER),
        ):
            made[..., shared] = np.where(
                np.isnan(made[..., shared]), known[: len(made)][..., shared], made[..., shared]
            )
        judge = Judge(alone.layers)
        judge.look(figures)
        return Watched(figures, judge.findings, np.stack(self.buckets))


def watch_together(
    networks: Sequence[MLP],
    batches: Sequence[Batch],
    optimizer: Optimizer,
    alone: Figures,
    keep: Callable[[int], bool],
    tamper: Tamper = lambda step, nets, when: None,
) -> list[Watched]:
    """Train a stack of nets of one shape on the same batches.

    Args:
        networks: initialised; they are trained.
        batches: contexts int64 [B, n] and targets int64 [B] of each step.
        optimizer: makes one of the stacked parameters; what it does to an element must not depend
            on other elements.
        alone: what a net of the same shape was seen to do alone on the same batches.
        keep: the steps whose buckets are kept.
        tamper: plants a disease.
    """
    nets = Nets(networks)
    chosen = optimizer(nets.parameters)
    ones = [_One(network) for network in networks]
    lr = float(chosen.param_groups[0]["lr"])
    for step, (contexts, targets) in enumerate(batches):
        due = {
            "updating": step % SETTINGS.updates_every_n_steps == 0 or is_keyframe(step),
            "weights": is_keyframe(step),
            "kept": keep(step),
        }
        tamper(step, nets, "before")
        chosen.zero_grad()
        outputs = nets.outputs(contexts.expand(len(networks), *contexts.shape))
        for output in outputs:
            output.retain_grad()
        losses = nets.loss(outputs[-1], targets.expand(len(networks), *targets.shape))
        losses.sum().backward()
        tamper(step, nets, "gradients")
        nets.hand_out_gradients()
        for one in ones:
            one.begin(due["updating"], due["weights"])
        chosen.step()
        parts = [
            zip(output.detach().unbind(), output.grad.unbind(), strict=True)
            for output in outputs
            if output.grad is not None
        ]
        for one, loss, *of_net in zip(ones, losses.detach(), *parts, strict=True):
            one.end(step, of_net, loss, lr, **due)
    return [one.watched(alone) for one in ones]
