"""`layerscope ward`: a quiz on charts of sick nets, in the terminal or on a page."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from layerscope.arguments import at_least
from layerscope.console.terminal import terminal
from layerscope.exit_codes import ExitCode
from layerscope.refusal import refuse
from layerscope.ward.page import page
from layerscope.ward.patients import ward
from layerscope.ward.text_charts import levels_for
from layerscope.ward.ward_round import Ask, ward_round
from layerscope.whole_file import read_whole, write_whole


def run(options: Namespace) -> int:
    """Go round, or write the page; 2 for a number, a file or an answer that cannot be used."""
    try:
        at_least(0, seed=options.seed)
        patients = ward(options.seed, options.patients)
        if options.page is not None:
            print(_written(options.page, page(patients)))
            return ExitCode.FINISHED
        ask = _typed if options.answers is None else _from_file(options.answers)
        levels = levels_for(getattr(sys.stdout, "encoding", None))
        ward_round(patients, ask, terminal(), levels, options.answers is None)
    except ValueError as error:
        return refuse(error)
    return ExitCode.FINISHED


def _typed() -> str:
    return input("\nYour answer, or Ctrl-D: ")


def _written(path: Path, text: str) -> Path:
    try:
        return write_whole(path, text)
    except OSError as error:
        raise ValueError(f"page must be a file to write, got {path}: {error.strerror}") from error


def _from_file(path: Path) -> Ask:
    try:
        lines: Iterator[str] = iter(read_whole(path).splitlines())
    except OSError as error:
        raise ValueError(f"answers must be a file, got {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"answers must be a text file, got {path}") from error

    def ask() -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    return ask
