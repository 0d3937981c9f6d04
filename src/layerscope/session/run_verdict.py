"""What a run is found to have, while it goes on and at its end: judged and drawn, not written."""

import logging
from collections.abc import Sequence

import numpy as np

from layerscope.arguments import at_least
from layerscope.diagnose import SEVERITIES, Figures, Finding, Judge, without
from layerscope.diagnose.findings.other_findings import departure_finding
from layerscope.diagnose.rules.learning_rate import ended_in_warm_up
from layerscope.extras import needs
from layerscope.pictures.run_pictures import run_pictures
from layerscope.record import Layer
from layerscope.session.diagnosis_file import hidden_layers
from layerscope.session.door import Door
from layerscope.session.settings import NEVER, Settings
from layerscope.theory import PredictionSummary, departures_in_words

_log = logging.getLogger("layerscope")

_WORTH_AN_IMAGE = 50
"""Steps from which on a run is drawn: there is nothing to see before."""

_LONG = 60.0
"""Seconds of training from which on a run is drawn unasked: to import matplotlib and to draw takes
two to six."""


class RunVerdict:
    """Judges the figures of a run, tells what is found, and draws the run at its end.

    Attributes:
        stop: the finding that ends the training, by the setting `stop_on`.
    """

    def __init__(
        self,
        settings: Settings,
        layers: Sequence[Layer],
        prediction: PredictionSummary | None,
        door: Door,
    ) -> None:
        self._settings = settings
        self._door = door
        self._layers = layers
        self.prediction = self._to_compare = prediction
        self.judge = Judge(
            (), settings.thresholds, without(*settings.switched_off), classes=settings.classes
        )
        self.stop: Finding | None = None
        self._thinned = Thinned()

    def look(self, figures: Figures) -> list[Finding]:
        """Judge the next steps: what is new or worse. What is critical is told at once."""
        self._thinned.add(figures)
        found = [*self._compare_with_theory(figures), *self.judge.look(figures)]
        for finding in found:
            if finding.severity == SEVERITIES[-1]:
                _log.warning(
                    "%s: critical since step %d: %s",
                    self._door.name,
                    finding.step,
                    finding.explanation,
                )
            if self.stop is None and _reaches(finding, self._settings.stop_on):
                self.stop = finding
        return found

    def _compare_with_theory(self, figures: Figures) -> list[Finding]:
        """What of step 0 is far from what theory expects: the first such place."""
        prediction, self._to_compare = self._to_compare, None
        if prediction is None or figures.steps[0] != 0:
            return []
        hidden = hidden_layers(self._layers, prediction.depth)
        if not hidden:
            return []
        at = [facts.name for facts in figures.layers]
        places = [at.index(name) for name in hidden if name in at]
        found = departures_in_words(
            prediction,
            figures["activation_std"][0, places].tolist(),
            figures["activation_grad_rms"][0, places].tolist(),
            hidden,
        )
        if not found:
            return []
        finding = departure_finding(found, hidden)
        self.judge.add(finding)
        return [finding]

    def end(self, asked: float) -> None:
        """The training has ended as it was to: judge what only that tells.

        Args:
            asked: the learning rate that its schedule rises to; NaN if there is none.
        """
        patience = self._settings.thresholds.patience
        self.judge.has_ended = True
        known = {each.rule: each.severity for each in self.judge.findings}
        stands = known.get("loss_not_falling", "note") != "note"
        found = ended_in_warm_up(self._thinned.figures(), asked, patience, stands=stands)
        if found is not None and found.rule not in {*known, *self._settings.switched_off}:
            self.judge.add(found)

    @property
    def refused(self) -> Finding | None:
        """The worst finding, if it is at least as bad as the setting `fail_on`."""
        # Findings come in the order in which to mend them: of equals, the first.
        worst = max(self.judge.findings, key=lambda each: each.level, default=None)
        return worst if worst and _reaches(worst, self._settings.fail_on) else None

    def pictures(self, seconds: float) -> dict[str, bytes]:
        """PNG of pictures of the run, by tag, if they are wanted and there is enough to see."""
        wanted = self._settings.images
        if not (seconds >= _LONG if wanted is None else wanted):
            return {}
        figures = self._thinned.figures()
        if len(figures.steps) < _WORTH_AN_IMAGE:
            return {}
        try:
            return run_pictures(figures, self.prediction)
        except ModuleNotFoundError as error:
            if (sentence := needs("a picture of the run", error)) is None:
                raise
            _log.warning("%s: %s; images=False draws none", self._door.name, sentence)
            return {}


def _reaches(finding: Finding, severity: str) -> bool:
    return severity != NEVER and finding.level >= SEVERITIES.index(severity)


class Thinned:
    """Keeps what pictures of a run need: evenly spaced steps, the last one, and, as updates are not
    measured at every step, evenly spaced ones of those with updates.

    Args:
        most: steps that are kept, of either kind, at least 2.

    Raises:
        ValueError: most is below 2.
    """

    def __init__(self, most: int = 400) -> None:
        at_least(2, most=most)
        self._kinds = (_Spaced(most), _Spaced(most))
        self._last: Figures | None = None

    def add(self, figures: Figures) -> None:
        """Take in the next steps; where the layers have changed, those before are forgotten."""
        if not len(figures.steps):
            return
        if self._last is not None and figures.layers != self._last.layers:
            self._kinds = (_Spaced(self._kinds[0].most), _Spaced(self._kinds[1].most))
        updated = np.isfinite(figures["update_to_weight"]).any(1)
        self._kinds[0].add(figures)
        self._kinds[1].add(figures.of_rows(np.flatnonzero(updated)))
        self._last = figures.of_rows(slice(-1, None))

    def figures(self) -> Figures:
        """What is kept, in order of step."""
        if self._last is None:
            return Figures.empty((), [])
        whole = Figures.joined([*self._kinds[0].kept, *self._kinds[1].kept, self._last])
        return whole.of_rows(np.unique(whole.steps, return_index=True)[1])


class _Spaced:
    """Every step at first, then every 2nd, every 4th and so on."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: list[Figures] = []
        self._stride = 1
        self._seen = self._count = 0

    def add(self, figures: Figures) -> None:
        number = np.arange(self._seen, self._seen + len(figures.steps))
        self._seen += len(figures.steps)
        chosen = np.flatnonzero(number % self._stride == 0)
        if not len(chosen):
            return
        self.kept.append(figures.of_rows(chosen))
        self._count += len(chosen)
        while self._count > self.most:
            whole = Figures.joined(self.kept)
            self._stride *= 2
            self.kept = [whole.of_rows(slice(None, None, 2))]
            self._count = len(self.kept[0].steps)
