"""What a watcher has come to: what was found, and where the files land."""

from html import escape
from pathlib import Path
from typing import Any

from layerscope.diagnose import Finding, Findings
from layerscope.diagnose.findings.severity import counted
from layerscope.integrations.loop_steps import LoopSteps
from layerscope.session.finished_steps import FinishedSteps


class Outcome:
    """Tells what a session has found, while it goes on and when it is over.

    Attributes:
        failure: if the instrument itself failed, at which step and why; the loop goes on. None
            otherwise.
    """

    failure: str | None = None
    _folder: Path
    _steps: LoopSteps
    _session: FinishedSteps | None = None  # as long as it goes on
    _opened: FinishedSteps | None = None  # from then on

    def _repr_html_(self) -> str:
        """For notebooks: whether it watches, where the files land, and what has been found."""
        folder = f"<code>{escape(str(self._folder))}</code>"
        return f"<p>{folder}: {escape(self._state())}</p>{self.findings._repr_html_()}"

    def __repr__(self) -> str:
        """The same in a line, for a terminal."""
        found = counted([each.severity for each in self.findings])
        return f"<{type(self).__name__} of {self._folder}: {self._state()}, {found}>"

    def _state(self) -> str:
        if self._opened is None:
            return "not started"
        if self.failure is not None:
            return self.failure
        return f"{'closed' if self._session is None else 'open'}, {self._steps.at} steps"

    @property
    def folder(self) -> Path:
        """Where the files land; after `start` it has the name that was free."""
        return self._folder

    @property
    def findings(self) -> Findings:
        """What has been found so far, causes first; some steps may still wait to be judged."""
        return Findings() if self._opened is None else self._opened.verdict.judge.findings

    @property
    def diagnosis(self) -> dict[str, Any] | None:
        """The content of diagnosis.json, after `close`; None before."""
        return None if self._opened is None else self._opened.diagnosis

    @property
    def refused(self) -> Finding | None:
        """The worst finding, if it is at least as bad as the setting `fail_on`."""
        return None if self._opened is None else self._opened.verdict.refused
