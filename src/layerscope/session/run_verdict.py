"""What a run is found to have, while it goes on and at its end."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from layerscope.diagnose import SEVERITIES, Figures, Finding, Judge, without
from layerscope.diagnose.findings_text import TAG as FINDINGS
from layerscope.diagnose.findings_text import findings_markdown
from layerscope.events.event_file import EventFile
from layerscope.events.summaries import PLUGIN, document, image, scalar, text
from layerscope.pictures.run_pictures import run_figures
from layerscope.record import Layer
from layerscope.session.departure_finding import departure_finding
from layerscope.session.diagnosis_file import hidden_layers
from layerscope.session.settings import NEVER, Settings
from layerscope.session.thinned import Thinned
from layerscope.sinks.figures_event import PREDICTION
from layerscope.theory import Expected, unexpected

_log = logging.getLogger("layerscope")

_WORTH_A_FIGURE = 50
"""Steps from which on a run is drawn: it takes two seconds, and there is nothing to see before."""


class JudgedRun:
    """Judges the figures of a run, tells what is found, and draws the run at its end.

    Args:
        settings: of the run.
        layers: all watched layers.
        expected: what theory says of the network at step 0.

    Attributes:
        judge: what has been found so far.
        stop: the finding that ends the training, by the setting `stop_on`.
        expected: as given.
    """

    def __init__(
        self, settings: Settings, layers: Sequence[Layer], expected: Expected | None
    ) -> None:
        self._settings = settings
        self._layers = layers
        self.expected = self._to_compare = expected
        self.judge = Judge(
            (), settings.thresholds, without(*settings.switched_off), classes=settings.classes
        )
        self.stop: Finding | None = None
        self._thinned = Thinned()

    def look(self, figures: Figures, events: EventFile) -> None:
        """Judge the next steps; a marker stands where a finding began, and what is critical is
        told at once.
        """
        self._thinned.add(figures)
        found = [*self._compare_with_theory(figures, events), *self.judge.look(figures)]
        for finding in found:
            level = SEVERITIES.index(finding.severity)
            events.add(finding.step, [scalar(f"finding/{finding.rule}", level + 1)])
            if finding.severity == SEVERITIES[-1]:
                _log.warning(
                    "LayerMonitor: critical since step %d: %s", finding.step, finding.explanation
                )
            if self.stop is None and self._reaches(level, self._settings.stop_on):
                self.stop = finding

    def _reaches(self, level: int, severity: str) -> bool:
        return severity != NEVER and level >= SEVERITIES.index(severity)

    def _compare_with_theory(self, figures: Figures, events: EventFile) -> list[Finding]:
        """What of step 0 is far from what theory expects: the first such place."""
        expected, self._to_compare = self._to_compare, None
        if expected is None or figures.steps[0] != 0:
            return []
        events.add(0, [document(PREDICTION, json.dumps(expected.as_json()), PLUGIN)])
        hidden = hidden_layers(self._layers, expected.depth)
        if not hidden:
            return []
        at = [facts.name for facts in figures.layers]
        places = [at.index(name) for name in hidden if name in at]
        found = unexpected(
            expected,
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
        worst = next(iter(self.judge.findings), None)
        if worst is None:
            return None
        level = SEVERITIES.index(worst.severity)
        return worst if self._reaches(level, self._settings.fail_on) else None

    def draw(self, step: int, events: EventFile) -> None:
        """Write the findings as a text, and the figures of the run if there is enough to see."""
        values = [text(FINDINGS, findings_markdown(self.judge.findings))]
        figures = self._thinned.figures()
        if self._settings.figures and len(figures.steps) >= _WORTH_A_FIGURE:
            drawn = run_figures(figures, self.expected)
            values += [image(tag, png) for tag, png in drawn.items()]
        events.add(step, values)
