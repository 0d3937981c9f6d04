"""The figures of every step in an event file, for programs: rules, reports and sweep tables.

Three tags, which TensorBoard passes over: `layerscope/layers`, a JSON document, says which layers
and which figures there are; `layerscope/layer_figures` and `layerscope/step_figures` hold a step's
numbers, 84 bytes a layer. Where the layers change in the middle of a run, the tags of a later set
end in `_2`, `_3`, and so on.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_FIGURES
from layerscope.diagnose.measured.figures import Array, Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.events.encoders import TensorEncoder
from layerscope.events.summaries import PLUGIN, document

if TYPE_CHECKING:
    from layerscope.events.reader import RunEvents
    from layerscope.events.series import TensorSeries
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerscope.events.reader import RunEvents

PREDICTION = f"{PLUGIN}/prediction"
"""Tag of the document that says what theory expects at step 0: `PredictionSummary.as_json`."""


def tags_of(number: int) -> tuple[str, str, str]:
    """Of a run's n-th set of layers, from 1: the document, the layers' and the steps' figures."""
    end = "" if number == 1 else f"_{number}"
    return f"{PLUGIN}/layers{end}", f"{PLUGIN}/layer_figures{end}", f"{PLUGIN}/step_figures{end}"


class FiguresEncoder:
    """Encodes the figures of steps of the same layers, about 1 us a step.

    Args:
        number: 1 for a run's first set of layers, 2 for the next.
    """

    def __init__(self, layers: Sequence[LayerFacts], number: int = 1) -> None:
        about, of_layers, of_steps = tags_of(number)
        content = {
            "layers": [facts.as_json() for facts in layers],
            "layer_figures": list(LAYER_FIGURES),
            "step_figures": list(STEP_FIGURES),
        }
        # Twice, for without it no figure can be read: a damaged record takes one of them along.
        self._about = [document(about, json.dumps(content), PLUGIN)] * 2
        self._layers = TensorEncoder([of_layers], [""], PLUGIN, (len(layers), len(LAYER_FIGURES)))
        self._steps = TensorEncoder([of_steps], [""], PLUGIN, (len(STEP_FIGURES),))

    def encode_steps(self, of_layers: Array, of_steps: Array) -> list[list[bytes | memoryview]]:
        """Encode the figures of several steps: of each its values for `EventFile.add`.

        Args:
            of_layers: float32 [steps, layers, len(LAYER_FIGURES)].
            of_steps: float32 [steps, len(STEP_FIGURES)].
        """
        steps_written = len(of_steps)
        about, self._about = self._about[:steps_written], self._about[steps_written:]
        layers = self._layers.encode_steps(of_layers[:, np.newaxis])
        steps = self._steps.encode_steps(of_steps[:, np.newaxis])
        values = [list(pair) for pair in zip(layers, steps, strict=True)]
        for of_step, each in zip(values, about, strict=False):
            of_step.insert(0, each)
        return values


def figures_of(run: RunEvents) -> Figures | None:
    """All figures that a run's event files hold, in order of step; None without any.

    Of a step that was written twice, as after a resumption, the later record counts.

    Raises:
        ValueError: what there is of them is malformed.
    """
    sets = sets_written(run)
    return joined(sets) if sets else None


def sets_written(run: RunEvents) -> list[Figures]:
    """The figures of each set of layers, in the order of its records.

    Figures that a file of another version lacks are NaN, those it has beyond ours are left out.

    Raises:
        ValueError: what there is of them is malformed.
    """
    sets = []
    for number in itertools.count(1):
        about, of_layers, of_steps = tags_of(number)
        if about not in run.documents:
            break
        if of_layers in run.tensors and of_steps in run.tensors:
            try:
                content = json.loads(run.documents[about].texts[-1])
                sets.append(_figures(content, run.tensors[of_layers], run.tensors[of_steps]))
            except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
                raise ValueError(f"{about} must be what a run writes, but {error}") from error
    return sets


def _figures(
    content: Mapping[str, list[str]], of_layers: TensorSeries, of_steps: TensorSeries
) -> Figures:
    layers = [LayerFacts.of_json(facts) for facts in content["layers"]]  # type: ignore[arg-type]
    figures = Figures.empty(layers, of_layers.steps.tolist())
    _copy(of_layers.values, content["layer_figures"], figures.of_layers, list(LAYER_FIGURES))
    _copy(of_steps.values, content["step_figures"], figures.of_steps, list(STEP_FIGURES))
    return figures


def _copy(
    source: npt.NDArray[np.floating], names: list[str], target: Array, wanted: list[str]
) -> None:
    known = [name for name in names if name in wanted]
    target[..., [wanted.index(name) for name in known]] = source[
        ..., [names.index(name) for name in known]
    ]


def joined(parts: Sequence[Figures]) -> Figures:
    """Figures of one or several sets of layers as those of all layers, each step once."""
    layers = {facts.name: facts for part in parts for facts in part.layers}
    names = sorted(layers)
    whole = Figures.empty(
        [layers[name] for name in names], np.concatenate([part.steps for part in parts]).tolist()
    )
    start = 0
    for part in parts:
        end = start + len(part.steps)
        columns = [names.index(facts.name) for facts in part.layers]
        whole.of_layers[start:end, columns] = part.of_layers
        whole.of_steps[start:end] = part.of_steps
        start = end
    # The last record of each step, in order of step.
    _, last = np.unique(whole.steps[::-1], return_index=True)
    chosen = len(whole.steps) - 1 - last
    return whole.of_rows(chosen)


def figure_sets(run: RunEvents) -> list[Figures]:
    """All figures that a run's event files hold, in order of step, cut where the layers change.

    Where layers come in later, what they are changes what the others are: the last is the last no
    more. Most runs have one set; joined they are what `figures_of` gives.

    Raises:
        ValueError: the files are of several runs, which would be taken for one.
    """
    _refuse_mixture(run)
    sets = [joined([each]) for each in sets_written(run)]
    owner = {step: n for n, figures in enumerate(sets) for step in figures.steps.tolist()}
    written = []
    # A resumed run begins with its first set again.
    for n, steps in itertools.groupby(sorted(owner), key=owner.__getitem__):
        written.append(sets[n].of_rows(np.searchsorted(sets[n].steps, list(steps))))
    return written


def _refuse_mixture(run: RunEvents) -> None:
    """A run writes its steps in order; what it takes up again says so, and is passed over before.

    Another writer in its folder, which an earlier version did not keep out, begins again.
    """
    for tag in tags_of(1)[1:]:
        if tag in run.tensors and (np.diff(run.tensors[tag].steps) <= 0).any():
            raise ValueError(
                "the event files must be of one run, got several that overlap: give each run a "
                "folder of its own"
            )
