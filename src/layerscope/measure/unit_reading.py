"""What a unit tally says of one step."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt


class UnitColumn(IntEnum):
    """Columns of a `UnitReading`.

    UNITS: how many the row has. SILENT: of these, not active on any sample of the step. DEAD: not
    active on at least `window` samples in a row, up to now. SINCE: the step from which the dead
    unit that has been silent longest has been so; NaN if none is dead. QUIET: as DEAD, on at least
    QUIET_SAMPLES. SPREAD: the largest range of a unit over the step's samples, as a share of the
    largest magnitude of any unit, 0 to 2: at 0 the layer says the same whatever goes in; 0 if all
    is zero, NaN of fewer than 2 samples or without finite values.
    """

    UNITS = 0
    SILENT = 1
    DEAD = 2
    SINCE = 3
    QUIET = 4
    SPREAD = 5


QUIET_SAMPLES = 512
"""Without activity on so many in a row, a unit is active on less than 0.6 % of all, with 95 %
certainty (3 / n, the rule of three: Hanley and Lippman-Hand 1983)."""

UNIT_COLUMNS = len(UnitColumn)


UnitReading = npt.NDArray[np.float64]
"""What was read of the rows, [rows, UNIT_COLUMNS], by `UnitColumn`; of a row that nothing was added
to, UNITS is 0 and the others NaN."""
