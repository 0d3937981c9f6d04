"""The package as it was in a commit."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent


def commit_of(revision: str) -> str:
    """Return the hash of the commit that a branch, tag or hash names, for `type=`."""
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode:
        raise argparse.ArgumentTypeError(f"{revision!r} names no commit of this repository")
    return found.stdout.strip()


@contextmanager
def source_of(commit: str) -> Iterator[Path]:
    """Check a commit out into a temporary worktree, and give the folder `src` in it.

    SIGTERM ends this process as an exception from now on, so that the worktree goes then, too.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        made = _git("worktree", "add", "--detach", str(tree), commit)
        if made.returncode:
            raise RuntimeError(f"git worktree add failed: {made.stderr.strip()}")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            yield tree / "src"
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
