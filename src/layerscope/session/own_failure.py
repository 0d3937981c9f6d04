"""The instrument's own failure, in words."""

from torch import nn


def told_failure(error: Exception, network: nn.Module | None) -> tuple[str, Exception | None]:
    """Why the instrument failed, and the error if its traceback says more than that.

    What the machine refuses (a full disk), and a network without numbers, are no riddle that a
    traceback would solve.
    """
    if network is not None and any(each.is_meta for each in network.parameters()):
        return (
            "the network is on the meta device, which holds no numbers: give it real ones first, "
            "by model.to_empty(device=...) and its init"
        ), None
    if isinstance(error, OSError):
        where = "" if error.filename is None else f": {error.filename}"
        return f"{error.strerror}{where}" if error.strerror else f"OSError: {error}", None
    return f"{type(error).__name__}: {error}", error
