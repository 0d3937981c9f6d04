"""Which layers are experts of a mixture, and whether its router leaves them without tokens."""

from functools import lru_cache

import numpy as np

from layerscope.diagnose.figures import Figures, Flags
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.roles import Roles


def without_tokens(figures: Figures, memory: Memory) -> Flags:
    """Layers beside a router and off the trunk, while an expert gets no token, [steps, layers].

    Which expert a layer belongs to is not known, so one that is cut off otherwise is among them.
    """
    left_out = np.zeros(figures["weight_grad_rms"].shape, bool)
    for router, experts in _mixtures(memory.roles):
        unused = memory.known(f"unused_{router}", figures["experts_unused"][:, router])
        left_out[:, experts] |= unused[:, np.newaxis] > 0
    return left_out


@lru_cache(maxsize=1)
def _mixtures(roles: Roles) -> list[tuple[int, list[int]]]:
    """Indices of each router, and of the layers that may be of its experts."""
    found = []
    for router, place in enumerate(roles.layers):
        if not place.name.endswith("/experts"):
            continue
        for owner in (place.path, place.path.rpartition(".")[0]):  # below it, or else beside it
            below = [
                index
                for index, facts in enumerate(roles.layers)
                if facts.path.startswith(f"{owner}." if owner else "")
                and facts.weights
                and not facts.on_trunk
            ]
            if below:
                found.append((router, below))
                break
    return found
