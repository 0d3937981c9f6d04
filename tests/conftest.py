"""What holds for all tests."""

import gc
import os
import shutil

import hypothesis
import pytest

# Read when torch starts, in the tests' own processes and in those that they start: the networks are
# too small to gain from a second thread, and the tests already use all cores.
os.environ["OMP_NUM_THREADS"] = "1"

# The same examples each time, so that nobody's change fails for a mistake that was there before it.
# `make rare-test` searches further, at random.
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.load_profile("same")


def pytest_collection_modifyitems(items):
    """`make slow-test` reads the files alone that have the word of its marker in them."""
    files = {item.path for item in items if item.get_closest_marker("slow")}
    if silent := [path for path in files if "mark.slow" not in path.read_text(encoding="utf-8")]:
        raise pytest.UsageError(f"slow tests need pytest.mark.slow in their own file, got {silent}")


def pytest_collection_finish(session):
    """What imports and collection have made stays to the end: neither Python's garbage collector
    nor `live_objects` goes through these million objects in each test.
    """
    gc.collect()
    gc.freeze()
    session.config.add_cleanup(gc.unfreeze)


_CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium():
    """The system's Chromium without a screen, as playwright's `Browser`; skips where there is none.

    Of a module, not of the session: as long as it is open, asyncio.run refuses to start.
    """
    path = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if path is None:
        pytest.skip("there is no Chromium: make browser-test")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_CHROMIUM_FLAGS)
        yield browser
        browser.close()
