"""Where something is looked at that is no layer: an attention, an addition, a router."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """An entry beside the layers.

    Attributes:
        name: as of a layer: `02_block.0/attention`.
        path: of the module whose code it is in.
        kind: what it is: "attention", "add", ...
        stream: of an addition, the list of the blocks that its residual stream goes through.
        depth: how many additions to the same stream come before it; -1 of anything else.
    """

    name: str
    path: str
    kind: str
    stream: str = ""
    depth: int = -1


class Seen(Protocol):
    """What was seen at a place in one step."""

    def figures(self) -> Mapping[str, float]:
        """By names of `LAYER_FIGURES`; NaN for what is not known."""

    def as_json(self) -> dict[str, Any]:
        """Plain types for diagnosis.json; None for what is not known."""
