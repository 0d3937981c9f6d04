"""make, as a shell that knows nothing of another make around it would run it."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def make(*arguments, cwd=ROOT, path=None):
    """Run `make ARGUMENTS` in `cwd` with nothing in its environment but PATH.

    A make around the tests would hand down MAKEFLAGS, MAKELEVEL and every variable of its command
    line: the inner one would print folders that it enters, and take ARGS for its own.
    """
    return subprocess.run(
        ["make", *arguments], cwd=cwd, env={"PATH": path or os.environ["PATH"]},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
