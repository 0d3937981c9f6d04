"""The judge of one run: figures in, block by block, findings out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from layerscope.arguments import at_least, at_most
from layerscope.diagnose.findings.few_steps import with_few_steps
from layerscope.diagnose.findings.finding import Finding, Findings
from layerscope.diagnose.findings.hindsight import in_hindsight
from layerscope.diagnose.findings.in_torch import in_torch
from layerscope.diagnose.findings.one_rate import with_one_rate
from layerscope.diagnose.findings.plain_numbers import with_plain_numbers
from layerscope.diagnose.findings.rule_groups import SYMPTOMS
from layerscope.diagnose.findings.severity import SEVERITIES
from layerscope.diagnose.findings.story import story
from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.loss_curve import LossCurve
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory, Shared
from layerscope.diagnose.onsets import Onsets
from layerscope.diagnose.registry import OF_RUN, RULES, Rule
from layerscope.diagnose.thresholds import Thresholds

_BY_ZERO = re.compile(r"\b(gamma|factor)=0(?:\.0)?[,)]")
"""Of a scheduler's numbers: what it multiplies a rate by."""


class Judge:
    """Judges a run while it goes on, or from its files: the same findings, however it is cut.

    A rule makes at most one finding: it names the first layer and step, and counts the layers that
    follow. Its severity may rise. About 5 us a step for ten layers, in blocks of 32 steps.

    Args:
        layers: of the run, in any order; others may come in later, with the figures.
        rules: by name; all that are registered if None. `without("biased")` leaves one out.
        classes: how many classes the loss, a mean cross-entropy in nats, chooses from. None for
            any other loss: the rule `overconfident_start` is then silent.

    Attributes:
        schedulers: of the learning rate, by name, where somebody knows them; "" if not.
        has_ended: whether the training has come to its end, as it was to.

    Raises:
        ValueError: classes is below 2.
    """

    def __init__(
        self,
        layers: Sequence[LayerFacts],
        thresholds: Thresholds | None = None,
        rules: Mapping[str, Rule] | None = None,
        *,
        classes: int | None = None,
    ) -> None:
        if classes is not None:
            at_least(2, classes=classes)
            at_most(2**63 - 1, classes=classes)
        self._thresholds = thresholds or Thresholds()
        self._rules = dict(RULES if rules is None else rules)
        self._roles = Roles(layers, classes)  # of all layers that ever came
        self._layers = self._roles.layers  # whose figures come
        self._columns: list[int] | None = None  # where those are among all; None: they are all
        self._loss_curve = LossCurve()
        self._shared = Shared()
        self._memories = {name: self._memory() for name in self._rules}
        self._onsets = {name: Onsets(self._width(name)) for name in self._rules}
        self._levels = dict.fromkeys(self._rules, 0)
        self._found: dict[str, Finding] = {}
        self._added: list[Finding] = []
        self._last_step = -1
        self.schedulers = ""
        self.has_ended = False

    @property
    def findings(self) -> Findings:
        """All so far, in the order in which to mend them: see `story`."""
        found = [
            in_hindsight(each, self._loss_curve, self._last_step, self._thresholds)
            for each in self._found_now().values()
        ]
        if self.schedulers:
            found = [self._with_schedulers(each) for each in found]
        told = story([*self._added, *found])
        if self.has_ended:
            told = [with_few_steps(each, self._last_step + 1, self._thresholds) for each in told]
        told = with_one_rate(told)
        # With a warning beside it a symptom's note is a clue.
        if self._loss_curve.is_below_start and all(each.severity == "note" for each in told):
            told = [replace(each, harmless=self._asks_nothing(each)) for each in told]
        return Findings(told)

    def _with_schedulers(self, finding: Finding) -> Finding:
        if finding.rule != "learning_rate_gone":
            return finding
        told = f"{finding.explanation}; the rate is set by {self.schedulers}"
        by_zero = _BY_ZERO.search(self.schedulers)
        if finding.value > 0 or by_zero is None:
            return replace(finding, explanation=told)
        name = by_zero[1]
        remedy = f"{name}=1 if no schedule is wanted, or none at all: the rate is multiplied by it"
        return replace(finding, explanation=told, remedy=f"{remedy}; 0.1 is usual for one that is")

    def _asks_nothing(self, note: Finding) -> bool:
        few = 2 * note.layers < len(self._roles.layers)  # such as a copy that is kept, not called
        may_be = note.rule == "negative_loss"  # as a note, of a loss that may well be
        return may_be or note.rule in SYMPTOMS or (note.rule == "not_measured" and few)

    def add(self, finding: Finding) -> None:
        """Take in a finding that was made elsewhere, such as a departure from theory."""
        self._added.append(finding)

    def look(self, figures: Figures) -> list[Finding]:
        """Judge the next steps; what is new or has become worse since the last look.

        Steps must follow those of earlier looks.
        """
        if not len(figures.steps):
            return []
        if figures.layers is not self._layers:
            self._meet(figures.layers)
        if self._columns is not None:
            figures = figures.among(self._roles.layers, self._columns)
        figures = figures.without_skipped()
        self._last_step = int(figures.steps[-1])
        news = []
        with np.errstate(all="ignore"):
            for name, rule in self._rules.items():
                symptoms = rule(figures, self._thresholds, self._memories[name])
                onsets = self._onsets[name]
                onsets.take(figures.steps, symptoms)
                if symptoms.severity is not None and onsets.level > self._levels[name]:
                    self._levels[name] = onsets.level
                    news.append(self._finding(name))
        return sorted(news, key=lambda f: (-f.level, f.step))

    def _meet(self, layers: tuple[LayerFacts, ...]) -> None:
        """Know these layers from now on, beside those that came before."""
        self._layers = layers
        before = len(self._roles.layers)
        facts = {known.name: known for known in (*self._roles.layers, *layers)}
        self._roles = Roles(tuple(facts.values()), self._roles.classes)
        for name in self._rules:
            self._memories[name].grow(self._roles)
            if name not in OF_RUN:
                self._onsets[name].grow(len(facts) - before)
        places = {name: place for place, name in enumerate(facts)}
        columns = [places[layer.name] for layer in layers]
        self._columns = None if columns == list(range(len(facts))) else columns

    def _memory(self) -> Memory:
        return Memory(self._roles, self._loss_curve, self._shared)

    def _width(self, name: str) -> int:
        """Columns of a rule's symptoms."""
        return 1 if name in OF_RUN else len(self._roles.layers)

    def _found_now(self) -> dict[str, Finding]:
        self._found = {name: self._finding(name) for name in self._rules if self._levels[name]}
        return self._found

    def _finding(self, name: str) -> Finding:
        onsets, symptoms = self._onsets[name], self._onsets[name].symptoms
        if symptoms is None:  # none since a checkpoint was loaded
            return self._found[name]
        row = min(self._levels[name], 2) - 1  # a warning has its own place
        ill = np.flatnonzero(onsets.step[row] >= 0).tolist()
        if symptoms.place:
            layer, name_of_layer = 0, symptoms.place
        else:
            rank = self._roles.rank
            layer = min(ill, key=lambda place: (onsets.step[row, place], rank[place]))
            name_of_layer = self._roles.layers[layer].name
        facts = self._roles.layers[max(self._roles.last, 0) if symptoms.place else layer]
        in_order = [] if symptoms.place else sorted(ill, key=self._roles.rank.__getitem__)
        advice = symptoms.advice[int(onsets.cause[row, layer])]
        step, value = int(onsets.step[row, layer]), float(onsets.value[row, layer])
        remedy = advice.remedy_for(facts, value)
        limits = advice.limits or symptoms.limits
        threshold = next(limit for limit in limits[row:] if limit == limit)
        return Finding(
            rule=name,
            severity=SEVERITIES[self._levels[name] - 1],
            layer=name_of_layer,
            step=step,
            layers=len(ill),
            last_step=onsets.last[row],
            value=value,
            worst=onsets.worst,
            threshold=threshold,
            source=symptoms.source,
            explanation=with_plain_numbers(
                advice.explanation.format(
                    layer=name_of_layer, step=step, value=value, threshold=threshold
                )
            ),
            remedy=with_plain_numbers(remedy if facts.configured else in_torch(remedy)),
            layer_names=tuple(self._roles.layers[place].name for place in in_order),
            layer_steps=tuple(int(onsets.step[row, place]) for place in in_order),
        )

    def state(self) -> dict[str, Any]:
        """All that the judge remembers, as plain types: a checkpoint can hold it."""
        return {
            "layers": [facts.as_json() for facts in self._roles.layers],
            "memories": {name: memory.state() for name, memory in self._memories.items()},
            "onsets": {name: onsets.state() for name, onsets in self._onsets.items()},
            "levels": dict(self._levels),
            "loss_curve": self._loss_curve.state(),
            "shared": self._shared.state(),
            "found": {name: finding.as_json() for name, finding in self._found_now().items()},
            "added": [finding.as_json() for finding in self._added],
            "last_step": self._last_step,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave; rules that it does not know begin anew."""
        layers = [LayerFacts.of_json(facts) for facts in state["layers"]]
        self._roles = Roles(layers, self._roles.classes)
        self._layers, self._columns = self._roles.layers, None
        self._loss_curve.load_state(state["loss_curve"])
        self._shared.load_state(state.get("shared", {}), self._memory())
        for name in self._rules:
            self._memories[name] = self._memory()
            self._onsets[name] = Onsets(self._width(name))
            if name in state["memories"]:
                self._memories[name].load_state(state["memories"][name])
                self._onsets[name].load_state(state["onsets"][name])
                self._levels[name] = int(state["levels"][name])
        self._found = {name: Finding.of_json(found) for name, found in state["found"].items()}
        self._added = [Finding.of_json(finding) for finding in state["added"]]
        self._last_step = int(state["last_step"])
