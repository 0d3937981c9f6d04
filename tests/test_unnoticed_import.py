"""The first use of a name of the package, in processes of their own."""

import subprocess
import sys

import pytest

_FIRST_USE = """
import gc, torch
{before}
passes = gc.get_stats()[2]["collections"]
import layerscope
layerscope.watch
print(gc.get_stats()[2]["collections"] - passes, gc.isenabled(), gc.get_freeze_count() > 0,
      len(gc.get_objects(generation=0)) + len(gc.get_objects(generation=1)) < 2000)
"""


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ("", "0 True False True"),  # no full pass, and what came in is called old
        ("gc.disable()", "0 False False True"),
        ("gc.freeze()", "0 True True False"),  # theirs stays frozen: ours is young
    ],
)
def test_the_garbage_collector_is_left_as_a_script_has_set_it(before, found):
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_USE.format(before=before)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.strip() == found, done.stderr
