"""Draw the pictures of docs/board.md and docs/report.md: a TensorBoard and a report in Chromium.

python train.py -m init=random,kaiming,small optimizer.lr=0.004,1e30 model.depth=4 \
    trainer.max_epochs=1 sweep.folder=logs/board
python train.py -m init=random,kaiming model.activation=tanh,leaky_relu seed=0,1 \
    trainer.max_epochs=1 sweep.folder=logs/sweep
python scripts/draw_pages.py logs/board logs/sweep docs
"""

import re
import shutil
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from layerscope.commands.one_sentence_parser import OneSentenceParser

_SETTLES = 8.0  # seconds until a tab of TensorBoard has drawn what it loads


def board(browser: Browser, sweep: Path, docs: Path) -> None:
    """The tabs HParams and Custom Scalars, in a window as high as what they show."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", sweep, "--port", "0"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stderr is not None
        lines = iter(server.stderr.readline, "")
        address = next(m[1] for m in (re.search(r"at (http://\S+/)", x) for x in lines) if m)
        time.sleep(_SETTLES)  # until it has read the runs
        for file, width, height in (("hparams", 1700, 440), ("custom", 1300, 1120)):
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(address + ("#hparams" if file == "hparams" else "#custom_scalars"))
            page.wait_for_timeout(1000 * _SETTLES)
            if file == "custom":
                page.get_by_text("Ignore outliers in chart scaling").click()  # else lines are cut
                page.locator("input:not([type])").last.fill("0.004$", timeout=120_000)
                page.wait_for_timeout(1000 * _SETTLES)
            page.screenshot(path=docs / f"board_{file}.png")
            page.close()
    finally:
        server.terminate()
        server.wait(timeout=10)


def report(browser: Browser, sweep: Path, docs: Path) -> None:
    """The page on a desk in light, and beside it on a phone in dark."""
    halves = []
    for scheme, width, height in (("light", 1000, 1300), ("dark", 390, 1300)):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.goto((sweep / "report.html").resolve().as_uri())
        page.wait_for_timeout(1000 * _SETTLES)
        halves.append(Image.open(BytesIO(page.screenshot())))
        page.close()
    gap = 20
    whole = Image.new("RGB", (sum(each.width for each in halves) + gap, 1300), "white")
    whole.paste(halves[0], (0, 0))
    whole.paste(halves[1], (halves[0].width + gap, 0))
    whole.save(docs / "report.png", optimize=True)


def main(board_sweep: Path, report_sweep: Path, docs: Path) -> None:
    """Write the three pictures into `docs`."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        board(browser, board_sweep, docs)
        report(browser, report_sweep, docs)
        browser.close()


if __name__ == "__main__":
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("board_sweep", type=Path, help="shown in TensorBoard")
    parser.add_argument("report_sweep", type=Path, help="shown in its report")
    parser.add_argument("docs", type=Path, help="where the pictures are written")
    main(**vars(parser.parse_args()))
