"""What several rules ask of a run is worked out once for each block."""

import numpy as np
import pytest

from layerscope.diagnose import Figures
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory, Shared
from layerscope.diagnose.questions.once_a_block import once_a_block

ASKED = []


@once_a_block
def steps_so_far(figures, memory):
    """Counts steps over the blocks, [steps]."""
    ASKED.append(len(figures.steps))
    before = memory.of_run("count")
    count = np.nan_to_num(before[0]) + 1 + np.arange(len(figures.steps))
    before[0] = count[-1]
    return count


@pytest.fixture
def two_rules():
    ASKED.clear()
    shared = Shared()
    return [Memory(Roles(()), shared=shared) for _ in range(2)]


def test_two_rules_get_one_answer_and_neither_can_change_it(two_rules):
    for block in (Figures.empty((), [0, 1, 2]), Figures.empty((), [3, 4])):
        first, second = (steps_so_far(block, memory) for memory in two_rules)
        assert first is second
    assert (second.tolist(), ASKED) == ([4.0, 5.0], [3, 2])
    with pytest.raises(ValueError, match="read-only"):
        first += 1


def test_what_they_share_goes_on_from_a_checkpoint(two_rules):
    steps_so_far(Figures.empty((), [0, 1, 2]), two_rules[0])
    later = Memory(Roles(()))
    later.shared.load_state(two_rules[1].shared.state(), later)
    assert steps_so_far(Figures.empty((), [3]), later).tolist() == [4.0]
