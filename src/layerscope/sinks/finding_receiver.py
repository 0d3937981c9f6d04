"""A user's function, or address, that gets each finding when it is made."""

import json
import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from layerscope.diagnose.findings.finding import Finding
from layerscope.sinks.sink import Sink

_log = logging.getLogger("layerscope")

OnFinding = Callable[[Finding], object] | str
"""What `on_finding` may be."""

_SECONDS = 10.0
"""A server that has not answered by then has failed."""

_AT_THE_END = 5.0
"""Seconds that the end of a run waits for what is still to be posted."""


def check_on_finding(on_finding: object) -> None:
    """Refuse what can get no finding.

    Raises:
        ValueError: it is neither a function nor the address of a web server.
    """
    if callable(on_finding):
        return
    if isinstance(on_finding, str):
        try:
            address = urlsplit(on_finding)
        except ValueError:
            address = urlsplit("")
        if address.scheme in ("http", "https") and address.hostname:
            return
    raise ValueError(
        "on_finding must be a function of a finding, or an address such as https://host/path, "
        f"got {on_finding!r}"
    )


class FindingReceiver(Sink):
    """Hands each finding on: a function is called, to an address it is posted as JSON.

    What is posted is `Finding.as_json` with `run`, the run's folder, and `text`, a sentence, which
    is what chats show. A thread posts, so that the training waits for no server; the end of the run
    waits five seconds for what is left. Whatever fails is told once.

    Args:
        on_finding: that `check_on_finding` has nothing against.
    """

    every_n_steps = 0

    def __init__(self, on_finding: OnFinding) -> None:
        self._on_finding = on_finding
        self._told = False
        self._run = ""
        self._queue: queue.SimpleQueue[Finding | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def open(self, folder: Path, resumed_at: int | None) -> None:
        """Know the run's folder."""
        self._run = str(folder)

    def write_finding(self, finding: Finding) -> None:
        """Call the function, or leave the finding to the thread."""
        if not isinstance(self._on_finding, str):
            self._hand_over(self._on_finding, finding)
            return
        self._queue.put(finding)
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._post_all, args=(self._on_finding,), name="on_finding", daemon=True
            )
            self._thread.start()

    def close(self) -> None:
        """Wait for what is still to be posted, not for long."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(_AT_THE_END)
            if self._thread.is_alive():
                self._tell(f"not all findings were posted within {_AT_THE_END:g} s")

    def _post_all(self, address: str) -> None:
        while (finding := self._queue.get()) is not None:
            self._hand_over(lambda each: _post(address, self._run, each), finding)

    def _hand_over(self, to: Callable[[Finding], object], finding: Finding) -> None:
        try:
            to(finding)
        except Exception as error:
            self._tell(f"{type(error).__name__}: {error}")
            _log.debug("on_finding", exc_info=error)

    def _tell(self, failure: str) -> None:
        if not self._told:
            # Without the address: whoever knows that of a chat can write to it.
            where = urlsplit(self._on_finding).hostname if isinstance(self._on_finding, str) else ""
            _log.error("on_finding failed%s: %s", where and f" at {where}", failure)
        self._told = True


def _post(address: str, run: str, finding: Finding) -> None:
    text = f"{finding.severity}: {finding.rule} in {finding.layer}, from step {finding.step}: "
    content = finding.as_json() | {"run": run, "text": text + finding.explanation}
    request = Request(
        address, json.dumps(content).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urlopen(request, timeout=_SECONDS) as answer:
        answer.read()
