"""What of a network is not watched, and why."""

import logging

from torch import nn

from layerscope.measure.moments import MomentColumn
from layerscope.quantity import Quantity
from layerscope.record import Recorder
from layerscope.record.network.changes import Change
from layerscope.record.network.compiled import is_compiled
from layerscope.record.observation import Observation
from layerscope.session.door import Door

_log = logging.getLogger("layerscope")

_COMPILED_BEFORE = (
    "were called before under torch.compile, which then never sees the hooks. Call the compiled "
    "network first while it is watched, or call torch._dynamo.reset() before; call modules, not "
    "functions on their weights"
)
_COMPILED_IN_PARTS = (
    "are compiled: tensor parallelism is not measured in compiled code, but for the weights"
)


def refuse_flat_parameters(network: nn.Module) -> None:
    """Raise ValueError if a network is sharded by FSDP1, in which no layer has its own weights."""
    for module in network.modules():
        # By name: the class takes seconds to import.
        if type(module).__name__ == "FullyShardedDataParallel":
            raise ValueError(
                "the network must be sharded by torch.distributed.fsdp.fully_shard, got "
                "FullyShardedDataParallel, which joins the weights of layers"
            )


def tell_unfired(recorder: Recorder, first: Observation, door: Door) -> None:
    """Note the layers whose hooks have not been called by now, and warn of them where torch.compile
    may be why. Others may be called yet, as one head of several; those that never are, the end
    lists.
    """
    layers = recorder.hooked.layers
    unfired = recorder.unreached.note_unfired()
    network = recorder.state.network
    if len(unfired) < len(layers) and not (network is not None and is_compiled(network)):
        with_gradient = _with_gradient(first)
        recorder.unreached.note_used(name for name in unfired if name in with_gradient)
        return
    used = {
        parameter
        for layer in layers
        if layer.name not in unfired
        for _, parameter in layer.parameters
    }
    # No call is due of a module whose weights others use, such as T5's `shared`, nor of a frozen
    # one, such as what PEFT keeps of a head.
    lent = {
        layer.name
        for layer in layers
        if layer.parameters and used.issuperset(p for _, p in layer.parameters if p.requires_grad)
    }
    told = recorder.state.not_measured  # with a reason of their own
    unfired = [name for name in unfired if name not in lent and name not in told]
    if not unfired:
        return
    divided = recorder.state.layouts is not None
    _log.warning(
        "%s: %d of %d hooks did not fire in the first step (%s): those modules were not called, or "
        + (_COMPILED_IN_PARTS if divided else _COMPILED_BEFORE),
        door.name,
        len(unfired),
        len(layers),
        ", ".join(unfired[:5]) + (", ..." if len(unfired) > 5 else ""),
    )


def _with_gradient(observation: Observation) -> set[str]:
    """The layers whose weights have a gradient."""
    if observation.left_out:
        return set()
    counts = observation.reading.get().moments[:, MomentColumn.COUNT]
    return {
        channel.layer
        for channel, count in zip(observation.channels, counts, strict=True)
        if channel.quantity is Quantity.WEIGHT_GRAD and count
    }


def tell_change(change: Change, step: int, door: Door) -> None:
    """Warn that the network is made of something else than before."""
    parts = [
        (change.other, "made of other modules or parameters, and measured from now on"),
        (change.gone, "no longer there"),
        (change.came, "new, and not measured: watch the network anew to have them measured"),
    ]
    _log.warning(
        "%s: the network has changed before step %d: %s",
        door.name,
        step,
        "; ".join(f"{', '.join(names)}: {what}" for names, what in parts if names),
    )


def tell_differing(recorder: Recorder, step: int, door: Door) -> None:
    """Warn of outputs that processes should have copies of, and have not the same, and forget
    them.
    """
    copies = recorder.state.copies
    names, copies.differing = copies.differing, []
    _log.warning(
        "%s: at step %d processes that compute together have different outputs of %s%s, where "
        "each should have a copy: the first one's are shown. They may have been given different "
        "data or weights, or have drawn different numbers for dropout",
        door.name,
        step,
        ", ".join(names[:5]),
        ", ..." if len(names) > 5 else "",
    )


def tell_lost(recorder: Recorder, step: int, door: Door) -> None:
    """Warn of outputs and gradients that a step says nothing of, and forget them."""
    lost, recorder.lost = recorder.lost, {}
    _log.warning(
        "%s: step %d has no figures of %s: changed in place after the layer was called, which had "
        "not been seen before; from now on copies are measured",
        door.name,
        step,
        ", ".join(f"{channel.layer} ({channel.quantity.label})" for channel in lost),
    )


def tell_evaluation(recorder: Recorder, door: Door) -> None:
    """Warn of a network that is trained in evaluation mode, in which nothing is measured."""
    _log.warning(
        "%s: the network is in evaluation mode at step %d, so its layers are not measured: "
        "call train() on it before the training step",
        door.name,
        next(iter(recorder.unreached.in_evaluation_mode.values())),
    )
