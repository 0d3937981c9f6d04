"""The targets of what a network gives beside its first output."""

from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.losses.loss_view import view_loss
from layerscope.figures.inputs import rms
from layerscope.record.ends.ends import Ends


def targets_beside(ends: Ends, loss: float, scale: float) -> dict[str, float]:
    """Root mean square of the targets of another output than the first, of a squared error that
    makes all of the loss but for rounding: the largest; nothing of any other loss, and where it is
    a critic's beside a policy, whose targets grow with what is earned.
    """
    if ends.of_actions:
        return {}
    sizes = []
    for each in ends.further:
        gradient = each.gradient.get().numpy() / scale
        square = each.square.get() / scale**2
        view = view_loss(each.values.get().numpy(), gradient, each.samples, loss, square)
        if view.kind is Loss.SQUARED_ERROR and view.targets is not None:
            sizes.append(rms(view.targets))
    return {"target_rms_beside": max(sizes)} if sizes else {}
