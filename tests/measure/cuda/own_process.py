"""Triton looks at TRITON_INTERPRET once, when a kernel is defined: so it is set for a process.

The tests that are interpreted are skipped but in that process, which one test of their file starts.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton has no build for this machine"
)
interpreted = pytest.mark.skipif(not INTERPRETED, reason="runs in a process of its own")
not_interpreted = pytest.mark.skipif(INTERPRETED, reason="starts a process of its own")


def in_a_process_of_its_own(*command, **environment):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "TRITON_"))}
    done = subprocess.run(
        [sys.executable, *command],
        env=inherited | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_passes_interpreted(file):
    """The tests of a file pass in a process where Triton interprets kernels."""
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "--rootdir", "."]
    said = in_a_process_of_its_own("-m", "pytest", *options, str(file), TRITON_INTERPRET="1")
    assert " passed" in said
    assert "failed" not in said
