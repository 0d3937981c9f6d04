"""What a user sees: a real TensorBoard on loopback, with its fast (Rust) and its slow loader."""

import json
import re
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import numpy as np
import pytest

from layerscope.events.encoders import HistogramEncoder, ScalarEncoder
from layerscope.events.event_file import EventFile
from layerscope.events.summaries import image, scalar, text

STEPS = [0, 1, 2, 3, 127, 128, 300, 2**33, 2**40]
HISTOGRAMS = ["activation/01_tanh", "activation/02_größe"]
STD = [0.5, np.nan, np.inf, -np.inf, 1e-30, 1e30, 0.0, -1.0, 2.0]
BUCKETS = np.random.default_rng(0).normal(size=(9, 2, 30, 3)).astype(np.float32)

Get = Callable[..., Any]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0\0"))
    + chunk(b"IEND", b"")
)


def write_run(directory: Path) -> None:
    """One run in two files, written alternately, as a logger and a monitor may do."""
    with EventFile(directory) as logger, EventFile(directory) as monitor:
        histograms = HistogramEncoder(HISTOGRAMS, ["**healthy**: not at the ends", ""])
        scalars = ScalarEncoder(["std/01_tanh [1]"], ["the *spread*"])
        for step, buckets, std in zip(STEPS, BUCKETS, STD, strict=True):
            std = np.array([std], dtype=np.float32)
            monitor.add(step, [*histograms.encode(buckets), *scalars.encode(std)])
            logger.add(step, [scalar("train/loss", step)])
        logger.add(0, [text("notes", "# title", "read me")])
        logger.add(0, [image("figure", PNG, "look at me")])


@pytest.fixture(scope="module", params=["true", "false"], ids=["fast loader", "slow loader"])
def address(request, tmp_path_factory) -> Iterator[str]:
    """Of a server that is started as `make board` starts it."""
    logdir = tmp_path_factory.mktemp("logs")
    write_run(logdir / "run")
    write_run(logdir / "run" / "keyframes")
    arguments = f"--logdir {logdir} --port 0 --load_fast {request.param}"
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", *arguments.split()],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = iter(server.stderr.readline, "")
        yield next(m[1] for m in (re.search(r"at (http://\S+/)", x) for x in lines) if m)
    finally:
        server.terminate()
        server.communicate(timeout=60)


@pytest.fixture(scope="module")
def get(address) -> Get:
    def fetch(route: str, **query: str) -> Any:
        url = f"{address}data/{route}?{urlencode(query)}"
        with urlopen(url, timeout=60) as response:
            return json.load(response)

    deadline = time.monotonic() + 30
    # The last value of the last run that a loader reads.
    while "figure" not in fetch("plugin/images/tags").get("run/keyframes", {}):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return fetch


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux lists its sockets there")
def test_the_server_listens_to_this_machine_only(address: str) -> None:
    """`make board` names no address, nor does this test."""
    port = f"{urlsplit(address).port:04X}"
    sockets = [
        line.split()
        for file in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]
    ]
    listening = [local.split(":") for _, local, _, state, *_ in sockets if state == "0A"]
    hosts = {host for host, at in listening if at == port}
    assert hosts <= {"0100007F", "00000000000000000000000001000000"}  # 127.0.0.1, ::1
    assert hosts


RUNS = pytest.mark.parametrize("run", ["run", "run/keyframes"])


@RUNS
def test_the_server_shows_every_histogram_at_every_step(get: Get, run: str) -> None:
    tags = get("plugin/histograms/tags")[run]
    assert set(tags) == set(HISTOGRAMS)
    assert tags[HISTOGRAMS[0]]["description"] == (
        "<p><strong>healthy</strong>: not at the ends</p>"
    )
    assert tags[HISTOGRAMS[1]]["description"] == ""
    for i, tag in enumerate(HISTOGRAMS):
        shown = get("plugin/histograms/histograms", tag=tag, run=run)
        assert [step for _, step, _ in shown] == STEPS
        np.testing.assert_array_equal(np.float32([b for _, _, b in shown]), BUCKETS[:, i])


@RUNS
def test_the_server_shows_every_scalar_at_every_step(get: Get, run: str) -> None:
    tags = get("plugin/scalars/tags")[run]
    assert set(tags) == {"train/loss", "std/01_tanh [1]"}
    assert tags["std/01_tanh [1]"]["description"] == "<p>the <em>spread</em></p>"
    for tag, expected in {"train/loss": STEPS, "std/01_tanh [1]": STD}.items():
        shown = get("plugin/scalars/scalars", tag=tag, run=run)
        assert [step for _, step, _ in shown] == STEPS
        values = [float(value) for _, _, value in shown]  # "NaN", "Infinity" and "-Infinity" too
        np.testing.assert_array_equal(values, np.float32(expected).astype(np.float64))


@RUNS
def test_the_server_shows_texts_and_images(get: Get, run: str) -> None:
    (note,) = get("plugin/text/text", tag="notes", run=run)
    assert (note["step"], note["text"]) == (0, "<h1>title</h1>")
    figure = get("plugin/images/tags")[run]["figure"]
    assert (figure["description"], figure["samples"]) == ("<p>look at me</p>", 1)
