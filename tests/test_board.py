"""TensorBoard as a user of a sweep sees it: a real server, a real Chromium."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np
import pytest

from layerscope.events.encoders import HistogramEncoder
from layerscope.events.event_file import EventFile
from layerscope.events.hparams import session_end, session_start
from layerscope.events.summaries import scalar
from layerscope.record.schedule import is_keyframe

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parent.parent
STEPS = 5_000
KEYFRAMES = [step for step in range(STEPS) if is_keyframe(step)]
TAG = "activation/01_tanh"

# Chrome's own querySelectorAll stops at a shadow root, and TensorBoard's tabs are full of them.
DEEP = """
(() => {
    const deep = (root, selector) => [...root.querySelectorAll('*')].flatMap(each => [
        ...(each.matches(selector) ? [each] : []),
        ...(each.shadowRoot ? deep(each.shadowRoot, selector) : []),
    ]);
    const all = selector => deep(document, selector).filter(each => each.getClientRects().length);
    return %s;
})()
"""


def write_sweep(folder):
    """Two real jobs, one of which fails; beside them a run that was killed, and one interrupted."""
    done = subprocess.run(
        [
            sys.executable, "train.py", "-m", "init=random", "optimizer.lr=0.004,-1",
            "model.depth=2", "trainer.max_epochs=1", "+trainer.limit_train_batches=60",
            "trainer.enable_progress_bar=false", "names=2", "monitor.images=true",
            f"sweep.folder={folder}",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert "1 finished, 1 failed" in done.stdout, done.stderr
    # In the table the columns of any run may stand for all.
    columns = {"init": "kaiming", "model.activation": "tanh", "model.depth": 2, "seed": 42}
    with EventFile(folder / "killed") as events:
        events.add(0, session_start(columns | {"optimizer.lr": 0.1}, time.time()))
        events.add(3, [scalar("val/loss", 2.5)])
    with EventFile(folder / "interrupted") as events:
        events.add(0, session_start(columns | {"optimizer.lr": 0.2}, time.time()))
        events.add(3, [scalar("val/loss", float("nan"))])
        events.add(4, session_end("interrupted", time.time()))


def write_long_run(folder):
    """A histogram at every step and again, at the keyframes, in the sibling run."""
    edges = np.linspace(-1, 1, 31, dtype=np.float32)
    buckets = np.stack([edges[:-1], edges[1:], np.ones(30, np.float32)], axis=1)[np.newaxis]
    every, some = HistogramEncoder([TAG], [""]), HistogramEncoder([TAG], [""])
    with EventFile(folder) as run, EventFile(folder / "keyframes") as keyframes:
        for step in range(STEPS):
            run.add(step, every.encode(buckets))
            if is_keyframe(step):
                keyframes.add(step, some.encode(buckets))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a TensorBoard that has read everything."""
    folder = tmp_path_factory.mktemp("sweep")
    write_sweep(folder)
    write_long_run(folder / "long")
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--host", "127.0.0.1",
         "--port", "0"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        lines = iter(process.stderr.readline, "")
        address = next(m[1] for m in (re.search(r"at (http://\S+/)", x) for x in lines) if m)

        def fetch(route, **query):
            with urlopen(f"{address}data/{route}?{urlencode(query)}", timeout=10) as response:
                return json.load(response)

        job = "optimizer.lr=0.004"
        deadline = time.monotonic() + 30
        while True:  # what comes last in each run
            histograms = fetch("plugin/histograms/tags")
            if (
                "long" in histograms
                and fetch("plugin/histograms/histograms", run="long", tag=TAG)[-1][1] == STEPS - 1
                and job in fetch("plugin/images/tags")
                and {"interrupted", "killed"} <= set(fetch("runs"))
                and "run/ended" in fetch("plugin/scalars/tags").get(job, {})
            ):
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.fixture(scope="module")
def page(chromium):
    errors = []
    page = chromium.new_page(viewport={"width": 1900, "height": 900})
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


@pytest.fixture
def look(page, server):
    """look(fragment, script): what the script gives in that tab, as soon as it gives something."""

    def look(fragment, script):
        page.goto("about:blank")
        page.goto(server + fragment)
        deadline = time.monotonic() + 30
        found = before = None
        while not found or found != before:  # until the tab has come to rest
            assert time.monotonic() < deadline, found
            time.sleep(0.5)
            before, found = found, page.evaluate(DEEP % script)
        return found

    return look


def test_the_histograms_tab_shows_step_0_of_5000_steps_through_keyframes(look):
    drawn = "all('.histogram').map(each => each.__data__.step)"
    assert look("#histograms&regexInput=long/keyframes", drawn) == KEYFRAMES
    assert KEYFRAMES[0] == 0
    assert KEYFRAMES[-1] > STEPS / 2
    whole = look("#histograms&regexInput=long$", drawn)
    assert len(whole) == 51  # of 5,000: where step 0 is only by chance


def test_hparams_has_a_row_per_run_with_its_loss_and_its_true_status(look):
    cells, statuses = look(
        "#hparams",
        "all('tf-hparams-table-view').filter(each => each.sessionGroups?.length).map(table => ["
        "all('vaadin-grid-cell-content').map(each => each.innerText.trim()),"
        "table.sessionGroups.map(each => [each.name, each.sessions[0].status])])[0]",
    )
    width = cells.index("train/loss") + 1
    head, *rows = [cells[i : i + width] for i in range(0, len(cells), width)]
    assert head[2:7] == ["init", "model.activation", "model.depth", "optimizer.lr", "seed"]
    assert head[7:9] == ["val/loss", "run/ended"]
    rows = {row[0]: row for row in rows if row[0]}
    assert rows.keys() == {*("optimizer.lr=0.004", "optimizer.lr=-1"), *("killed", "interrupted")}
    finished = rows["optimizer.lr=0.004"]
    assert finished[2:7] == ["random", "tanh", "2.0000", "0.0040000", "42.000"]
    assert 0 < float(finished[7]) < 30
    assert finished[8] == "1.0000"
    assert [rows["optimizer.lr=-1"][i] for i in (7, 8, 9)] == ["", "-1.0000", ""]
    assert [rows["interrupted"][i] for i in (7, 8)] == ["NaN", "0.0000"]
    assert [rows["killed"][i] for i in (7, 8)] == ["2.5000", ""]
    assert dict(statuses) == {  # by which the table can be filtered
        "optimizer.lr=0.004": "STATUS_SUCCESS",
        "optimizer.lr=-1": "STATUS_FAILURE",
        "interrupted": "STATUS_FAILURE",
        "killed": "STATUS_UNKNOWN",
    }


def test_custom_scalars_has_a_chart_per_quantity_with_a_line_per_layer(look):
    charts = look(
        "#custom_scalars",
        "all('tf-custom-scalar-multi-line-chart-card').map(each => ["
        "each.title, deep(each.shadowRoot, '.match-list-entry').length,"
        "deep(each.shadowRoot, 'path.line').some(line => line.getTotalLength())])",
    )
    assert charts == [  # of the run with layers: embedding, two of tanh, logits
        ["std per layer", 4, True],
        ["saturated share per layer", 2, True],
        ["log10(activation gradient RMS) per layer", 4, True],
        ["log10(weight gradient RMS) per layer", 4, True],
        ["log10(update / weight) per layer", 4, True],
    ]


def test_images_shows_the_figures(look):
    shown = look(
        "#images",
        "all('tf-image-loader').map(each => "
        "[each.tag, deep(each.shadowRoot, 'img')[0]?.naturalWidth])",
    )
    assert [tag for tag, _ in shown] == ["layers/heatmaps", "layers/profile", "theory/phase"]
    assert all(width > 300 for _, width in shown)


def test_text_shows_the_findings(look):
    told = look("#text", "all('li').map(each => each.innerText).join(' ')")
    assert "saturated" in told
    assert "01_tanh" in told
