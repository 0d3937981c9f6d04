"""A monitor's part of a checkpoint: what it leaves to one, and what one has given it."""

import logging
from collections.abc import Mapping
from typing import Any

from layerscope.session.announced_steps import AnnouncedSteps

_log = logging.getLogger("layerscope")


class CheckpointedState:
    """Findings, running medians, how long units are silent: from one fit to the next.

    Attributes:
        resumes: whether the run goes on with an earlier one, watched or not.
    """

    def __init__(self) -> None:
        self.resumes = False
        self._given: Mapping[str, Any] | None = None
        self._left: dict[str, Any] = {}  # at the end of fit, for a checkpoint after it

    def give(self, state: Mapping[str, Any]) -> None:
        """Keep the state of a checkpoint until training starts."""
        self._given = state or None

    def give_of(self, states: Mapping[str, Any], key: str, layers: str) -> None:
        """Keep the state of a monitor of the same layers that wrote to another folder, if a
        checkpoint has one such state and none of this monitor's.

        Args:
            states: of all callbacks, by their keys.
            key: this monitor's.
            layers: its setting, as keys have it.
        """
        end = f"'layers': {layers!r}}}"
        alike = [name for name in states if name.startswith("LayerMonitor{") and name.endswith(end)]
        if key not in states and len(alike) == 1:
            self.give(states[alike[0]])

    def begin(self) -> None:
        """A training starts: what an earlier one left is no more."""
        self._left = {}

    def restore(self, session: AnnouncedSteps) -> None:
        """Have a session go on from what a checkpoint has given."""
        given, self._given = self._given, None
        if given is not None:
            session.load_state(given)

    def of(self, session: AnnouncedSteps | None) -> dict[str, Any]:
        """What a checkpoint gets: of a session, or of the one that was left last."""
        if session is None:
            return self._left
        try:
            return session.state()
        except Exception as error:  # a checkpoint is worth more
            _log.exception("LayerMonitor: a checkpoint goes without its state: %s", error)
            return {}

    def leave(self, session: AnnouncedSteps) -> None:
        """The training ends: keep what a later checkpoint gets."""
        self._left = self.of(session)
