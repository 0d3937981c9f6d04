"""What each part of a place showed, in an event file: the heads of an attention, the experts of a
router. A JSON document for each look and kind, which TensorBoard passes over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from layerscope.events.summaries import PLUGIN, document

if TYPE_CHECKING:  # reading a run needs no PyTorch
    from layerscope.events.reader import RunEvents
    from layerscope.record.place import Seen

PARTS = ("attention", "experts")
"""The kinds of places that have parts: of these, what is seen is lists over the parts."""


def encode(inside: Mapping[str, Mapping[str, Seen]]) -> list[bytes]:
    """A look's parts as values for `EventFile.add`: about 45 bytes a head, 20 an expert."""
    return [
        document(
            f"{PLUGIN}/{kind}",
            json.dumps(
                {name: seen.as_json() for name, seen in inside[kind].items()}, separators=(",", ":")
            ),
            PLUGIN,
        )
        for kind in PARTS
        if kind in inside
    ]


def parts_of(run: RunEvents, kind: str) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """Of one of `PARTS`, by place: "steps", [looks], and by figure [looks, parts]; NaN where
    unknown.
    """
    found: dict[str, dict[int, dict[str, list[float | None]]]] = {}
    if (tag := f"{PLUGIN}/{kind}") in run.documents:
        series = run.documents[tag]
        for step, text in zip(series.steps.tolist(), series.texts, strict=True):
            for name, seen in json.loads(text).items():
                found.setdefault(name, {})[step] = seen
    return {
        name: {"steps": np.array(sorted(looks), np.float64)}
        | {
            figure: np.array([looks[step][figure] for step in sorted(looks)], np.float64)
            for figure in next(iter(looks.values()))
        }
        for name, looks in found.items()
    }
