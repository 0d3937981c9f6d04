"""What Lightning refuses only when a training begins, in one sentence."""

from lightning.fabric.utilities.exceptions import MisconfigurationException

from layerscope.lab.sentence import sentence, with_typed
from layerscope.training.experiment import Experiment
from layerscope.training.hydra_run import typed

_NO_STATE = (LookupError, TypeError, AttributeError, RuntimeError)
"""What a part of a checkpoint raises that is not what it should be, when Lightning puts it back."""


def late_refusal(error: Exception, experiment: Experiment) -> str | None:
    """What a setting, or the checkpoint to go on from, has done wrong; None of another error."""
    if experiment.last_checkpoint.has_started:
        return None
    if isinstance(error, ValueError | MisconfigurationException):
        return with_typed("trainer", sentence(error), typed())
    if experiment.checkpoint is not None and isinstance(error, _NO_STATE):
        return (
            "ckpt_path must be a checkpoint that this training can go on from, got "
            f"{experiment.checkpoint}: {type(error).__name__}: {sentence(error)}"
        )
    return None
