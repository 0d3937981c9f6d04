"""What the code that has called a dropout tells it of the mode, read off its source."""

import ast
import inspect
import linecache
import sys
import textwrap
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from torch import nn

_CALL = nn.Module._call_impl.__code__
MODULE_CALLS = (_CALL, *(c for c in _CALL.co_consts if isinstance(c, types.CodeType)))
"""The code that a frame of a module's call runs, above that of its forward."""

_MODE = ("training", "train")
_AMONG_ARGUMENTS = 2
"""Where `training` stands among those of `torch.nn.functional.dropout`, from 0."""


class Told(Enum):
    """Of the mode, by whoever calls."""

    NOTHING, TRUE, SOMETHING = range(3)


def how_told() -> Told:
    """What the call that runs tells of the mode: that of the innermost function outside of torch.
    Where its source is not to be had, it is SOMETHING.
    """
    frame = _caller()
    return Told.SOMETHING if frame is None else _told_by(frame)


def is_never_told() -> bool:
    """Whether the call that runs tells nothing of the mode, and nothing on the way to it asks for
    it: the call stands in a module's `forward`, which decides nothing before it, and no code of the
    network above it reads `training`.
    """
    frame = _caller()
    if frame is None or frame.f_back is None or frame.f_back.f_code not in MODULE_CALLS:
        return False
    if any("training" in each.f_code.co_names for each in _code_of_network(frame)):
        return False
    return _told_by(frame) is Told.NOTHING and not _decides(frame)


def _caller() -> types.FrameType | None:
    """The innermost function outside of torch, and of what sees the call."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None and _is_passed_over(frame):
        frame = frame.f_back
    return frame


def _code_of_network(frame: types.FrameType) -> Iterator[types.FrameType]:
    """The frames of what is no torch, from this one up to the outermost call of a module."""
    frames: list[types.FrameType] = []
    above: types.FrameType | None = frame
    while above is not None:
        if above.f_code in MODULE_CALLS:
            yield from frames
            frames.clear()
        elif not _is_passed_over(above):
            frames.append(above)
        above = above.f_back


def _decides(frame: types.FrameType) -> bool:
    """Whether a function takes one of several ways before the line that runs, or at it."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(frame.f_code)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return True
    line = frame.f_lineno - frame.f_code.co_firstlineno + 1
    ways = (ast.If, ast.IfExp, ast.While, ast.Match, ast.Try, ast.BoolOp, ast.Lambda)
    return any(isinstance(each, ways) and each.lineno <= line for each in ast.walk(tree))


def _told_by(frame: types.FrameType) -> Told:
    call = _call(frame)
    if call is None:
        return Told.SOMETHING
    told = [each.value for each in call.keywords if each.arg in _MODE]
    told += call.args[_AMONG_ARGUMENTS : _AMONG_ARGUMENTS + 1]
    unpacked = [each.value for each in call.keywords if each.arg is None]
    if told:
        is_true = isinstance(told[0], ast.Constant) and told[0].value is True
        return Told.TRUE if is_true else Told.SOMETHING
    if any(isinstance(each, ast.Starred) for each in call.args):
        return Told.SOMETHING
    return Told.NOTHING if all(_tells_nothing(each, frame) for each in unpacked) else Told.SOMETHING


def _is_passed_over(frame: types.FrameType) -> bool:
    home = str(frame.f_globals.get("__name__", "")).split(".")
    return home[0] == "torch" or home[:2] == ["layerscope", "record"]


def _tells_nothing(unpacked: ast.expr, frame: types.FrameType) -> bool:
    """Whether `**unpacked` is a dictionary without the mode."""
    value: Any = frame.f_locals.get(unpacked.id) if isinstance(unpacked, ast.Name) else None
    return isinstance(value, Mapping) and not any(name in value for name in _MODE)


def _call(frame: types.FrameType) -> ast.Call | None:
    """The call that a function is in, as its source has it; None without a source."""
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    first, last, begin, end = positions
    if first is None or last is None or begin is None or end is None:
        return None
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)[first - 1 : last]
    if not lines:
        return None
    raw = [line.encode() for line in lines]  # columns count bytes
    raw[-1] = raw[-1][:end]  # first: it may be the same line
    raw[0] = raw[0][begin:]
    try:
        tree = ast.parse(b"(" + b"".join(raw) + b")", mode="eval")
    except (SyntaxError, ValueError):
        return None
    return tree.body if isinstance(tree.body, ast.Call) else None
