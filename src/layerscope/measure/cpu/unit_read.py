"""What a step's extremes and activity say, and how long each unit has been silent by now."""

import math

import numpy as np

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import (
    bits_from_f64,
    f64_from_bits,
    load_f64,
    load_i64,
    store_f64,
    store_i64,
)
from layerscope.measure.cpu.unit_table import (
    BLOCK,
    CAPACITY,
    HEAD,
    HEADS,
    INTERVALS,
    SAMPLES,
    UNITS,
)
from layerscope.measure.unit_blocks import ACTIVE, MAXIMUM, MINIMUM, SILENCE, SINCE
from layerscope.measure.unit_reading import QUIET_SAMPLES, UNIT_COLUMNS, UnitColumn

_NEVER = 1 << 62


@jit
def _extremes(block, capacity, units):  # type: ignore[no-untyped-def]
    """Largest range of a unit, largest magnitude of any; -inf without any finite value."""
    # Maxima of the bits, which are ordered like floats that are not negative, and above -inf: LLVM
    # puts those of integers into vector lanes.
    nothing = bits_from_f64(-np.inf)
    widest, largest = nothing, nothing
    for j in range(units):
        least = load_f64(block, MINIMUM * capacity + j)
        most = load_f64(block, MAXIMUM * capacity + j)
        widest = max(widest, bits_from_f64(most - least))
        largest = max(largest, bits_from_f64(-least if -least > most else most))
        store_f64(block, MINIMUM * capacity + j, np.inf)
        store_f64(block, MAXIMUM * capacity + j, -np.inf)
    return f64_from_bits(widest), f64_from_bits(largest)


@jit
def _silences(block, capacity, units, samples, immortal, window, step):  # type: ignore[no-untyped-def]
    """How many units are silent, dead and quiet, and since when; the silences go on."""
    silent, dead, quiet, since = 0, 0, 0, _NEVER
    for j in range(units):
        active = (immortal | load_i64(block, ACTIVE * capacity + j)) != 0
        before = load_i64(block, SILENCE * capacity + j)
        began = load_i64(block, SINCE * capacity + j)
        silence = 0 if active else before + samples
        began = step if before == 0 else began
        is_dead = silence >= window
        silent += 0 if active else 1
        dead += is_dead
        quiet += silence >= QUIET_SAMPLES
        since = min(since, began if is_dead else _NEVER)
        store_i64(block, SILENCE * capacity + j, silence)
        store_i64(block, SINCE * capacity + j, began)
        store_i64(block, ACTIVE * capacity + j, 0)
    return silent, dead, quiet, since


@jit
def read_units(table, rows, window, step, values):  # type: ignore[no-untyped-def]
    """Read all rows, empty them of what belongs to the step, and go on counting silence.

    Args:
        table: `UnitTable.address`.
        window: samples in a row on which a dead unit has not been active.
        values: address of float64 [rows, UNIT_COLUMNS], filled; see `UnitReading`.
    """
    for row in range(rows):
        head = load_i64(table, HEADS) + row * HEAD * 8
        samples = load_i64(load_i64(table, SAMPLES), row)
        at = values + row * UNIT_COLUMNS * 8
        if samples == 0:
            store_f64(at, UnitColumn.UNITS, 0.0)
            for column in range(UnitColumn.UNITS + 1, UNIT_COLUMNS):
                store_f64(at, column, np.nan)
            continue
        interval = load_i64(table, INTERVALS) + row * 16
        immortal = load_f64(interval, 0) == -math.inf and load_f64(interval, 1) == math.inf
        block, capacity = load_i64(head, BLOCK), load_i64(head, CAPACITY)
        units = load_i64(head, UNITS)
        widest, largest = _extremes(block, capacity, units)
        silent, dead, quiet, since = _silences(
            block, capacity, units, samples, 1 if immortal else 0, window, step
        )
        store_i64(load_i64(table, SAMPLES), row, 0)
        store_f64(at, UnitColumn.UNITS, units)
        store_f64(at, UnitColumn.SILENT, silent)
        store_f64(at, UnitColumn.DEAD, dead)
        store_f64(at, UnitColumn.SINCE, since if dead else np.nan)
        store_f64(at, UnitColumn.QUIET, quiet)
        spread = np.nan
        if samples > 1 and widest >= 0.0:
            spread = widest / largest if largest > 0.0 else 0.0
        store_f64(at, UnitColumn.SPREAD, spread)
