"""How much memory this process really has."""

import mmap
from pathlib import Path

import pytest

_PAGES = Path("/proc/self/statm")

knows_its_memory = pytest.mark.skipif(
    not _PAGES.exists(), reason="only Linux tells a process its resident pages, in /proc"
)


def resident():
    """Bytes that are in memory, not only promised."""
    return int(_PAGES.read_text(encoding="ascii").split()[1]) * mmap.PAGESIZE
