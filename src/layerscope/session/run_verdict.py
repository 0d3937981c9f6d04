"""What a run is found to have, while it goes on and at its end: judged and drawn, not written."""

import logging
from collections.abc import Sequence

from layerscope.diagnose import SEVERITIES, Figures, Finding, Judge, without
from layerscope.diagnose.findings.other_findings import departure_finding
from layerscope.extras import needs
from layerscope.pictures.run_pictures import run_pictures
from layerscope.record import Layer
from layerscope.session.diagnosis_file import hidden_layers
from layerscope.session.door import Door
from layerscope.session.settings import NEVER, Settings
from layerscope.session.thinned import Thinned
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
        judge: what has been found so far.
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
