"""What each head of each attention looked at, in an event file: a JSON document for each look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from layerscope.events.summaries import PLUGIN, document

if TYPE_CHECKING:  # reading a run needs no PyTorch
    from layerscope.events.reader import RunEvents
    from layerscope.record.heads import Heads

TAG = f"{PLUGIN}/attention"


def encode(attention: Mapping[str, Heads]) -> bytes:
    """A look's heads as a value for `EventFile.add`: about 45 bytes a head."""
    content = {name: heads.as_json() for name, heads in attention.items()}
    return document(TAG, json.dumps(content, separators=(",", ":")), PLUGIN)


def attention_of(run: RunEvents) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """By place, "steps", [looks], and each of `PER_HEAD`, [looks, heads]; NaN where unknown."""
    found: dict[str, dict[int, dict[str, list[float | None]]]] = {}
    if TAG in run.documents:
        series = run.documents[TAG]
        for step, text in zip(series.steps.tolist(), series.texts, strict=True):
            for name, heads in json.loads(text).items():
                found.setdefault(name, {})[step] = heads
    return {
        name: {"steps": np.array(sorted(looks), np.float64)}
        | {
            figure: np.array([looks[step][figure] for step in sorted(looks)], np.float64)
            for figure in next(iter(looks.values()))
        }
        for name, looks in found.items()
    }
