"""A run's row in TensorBoard's HParams tab: what it was asked at its start, its status at its end.

TensorBoard keeps the first event of a tag and passes over later ones: what is written here stands.
Field numbers are those of tensorboard/plugins/hparams/{api,plugin_data}.proto.
"""

import struct
from collections.abc import Mapping
from math import isfinite

from layerscope.arguments import one_of
from layerscope.events.summaries import marker, scalar
from layerscope.events.wire import FIXED64, VARINT, field, key, varint

HParam = bool | int | float | str | None
"""What a cell of the table can hold; None: nothing."""

ENDED = "run/ended"
"""Tag of the scalar that shows in the table how a run ended."""

_PLUGIN = "hparams"
_SUCCESS, _FAILURE = 1, 2  # Status; 0, which it is unless somebody says so, is unknown
_ENDS = {"finished": (_SUCCESS, 1.0), "interrupted": (_FAILURE, 0.0), "failed": (_FAILURE, -1.0)}
_STRING, _BOOL, _NUMBER = 1, 2, 3  # DataType
_TRAINING, _VALIDATION = 1, 2  # DatasetType

_METRICS = (("val/loss", _VALIDATION), (ENDED, _TRAINING), ("train/loss", _TRAINING))
"""Tag and DatasetType of each; no other scalar becomes a column."""

_SHOWN = 5  # TensorBoard's: of the columns said to differ, the first in alphabetical order
_DOUBLE = struct.Struct("<d")


def session_start(params: Mapping[str, HParam], seconds: float) -> list[bytes]:
    """Encode a run's row, and the table's columns, as values for `EventFile.add` at step 0.

    The row is called as TensorBoard calls the run. The columns are the parameters, five of them
    until more are ticked, and the last `val/loss`, `run/ended` and `train/loss`. TensorBoard takes
    the columns of one run for all: runs that are compared should have the same parameters.

    Args:
        params: by name; the first five are those shown. Without any, there is a row, and the
            columns are those of other runs.
        seconds: the time of the start, since 1970.
    """
    values = [marker("_hparams_/session_start_info", _PLUGIN, field(3, _row(params, seconds)))]
    if params:
        values.insert(0, marker("_hparams_/experiment", _PLUGIN, field(2, _columns(params))))
    return values


def session_end(state: str, seconds: float) -> list[bytes]:
    """Encode how a run ended, as values for `EventFile.add` at its last step.

    TensorBoard has no status for interrupted: it is a failure there, as all but finished is; the
    scalar `run/ended` is 1 for finished, 0 for interrupted, -1 for failed. A run of which nobody
    writes this, running or killed, has the status Unknown and no `run/ended`.

    Args:
        state: finished, interrupted or failed.
        seconds: the time of the end, since 1970.

    Raises:
        ValueError: another state.
    """
    one_of(_ENDS, state=state)
    status, ended = _ENDS[state]
    end = _enum(1, status) + _double(2, seconds)
    return [marker("_hparams_/session_end_info", _PLUGIN, field(4, end)), scalar(ENDED, ended)]


def _columns(params: Mapping[str, HParam]) -> bytes:
    """Encode an Experiment. Without domains: those of one run would filter out the others."""
    columns = [
        field(4, _text(1, name) + _enum(4, _type(value)) + _enum(7, i < _SHOWN))
        for i, (name, value) in enumerate(params.items())
    ]
    columns += [
        field(5, field(1, _text(2, tag)) + _text(3, tag) + _enum(5, dataset))
        for tag, dataset in _METRICS
    ]
    return b"".join(columns)


def _row(params: Mapping[str, HParam], seconds: float) -> bytes:
    """Encode a SessionStartInfo. Without group_name: runs of the same name would be averaged."""
    cells = [
        field(1, _text(1, name) + field(2, _cell(value)))
        for name, value in params.items()
        if value is not None
    ]
    return b"".join(cells) + _double(5, seconds)


def _type(value: HParam) -> int:
    if isinstance(value, bool):
        return _BOOL
    return _NUMBER if isinstance(value, int | float) and isfinite(value) else _STRING


def _cell(value: HParam) -> bytes:
    """Encode a google.protobuf.Value; numbers that JSON lacks become text."""
    kind = _type(value)
    if kind == _BOOL:
        return _enum(4, bool(value))
    return _text(3, str(value)) if kind == _STRING else _double(2, float(value or 0))


def _text(number: int, words: str) -> bytes:
    return field(number, words.encode())


def _enum(number: int, n: int) -> bytes:
    return varint(key(number, VARINT)) + varint(n)


def _double(number: int, x: float) -> bytes:
    return varint(key(number, FIXED64)) + _DOUBLE.pack(x)
