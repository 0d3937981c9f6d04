"""`layerscope report DIR`: compare the runs in a folder again, and write the page again.

From the event files alone, if need be: without diagnosis.json and status.json the runs are judged
by the rules as they stand, and nothing is known of how they ended.
"""

import sys
from argparse import Namespace
from pathlib import Path

from layerscope.comparison import compare, comparison_table, write_comparison
from layerscope.console.terminal import terminal
from layerscope.exit_codes import ExitCode
from layerscope.refusal import refuse
from layerscope.report import write_report


def run(options: Namespace) -> int:
    """Print the table and the answer, write the files; 2 if the folder cannot be used."""
    try:
        report_on(options.folder)
    except BrokenPipeError:
        raise  # nobody reads any more
    except OSError as error:
        return refuse(error)
    return ExitCode.FINISHED


def report_on(folder: Path, *, page: bool = True) -> None:
    """Compare the runs in a folder: print it, and write comparison.json, comparison.csv and
    report.html there. At the end of a sweep too.

    Args:
        page: whether report.html is written.

    Raises:
        OSError: the folder does not exist, holds no run, or cannot be written to.
    """
    comparison = compare(folder)
    for line in comparison.passed_over:
        print(f"passed over: {line}", file=sys.stderr)
    write_comparison(comparison, folder)
    written = write_report(folder, comparison) if page else None
    console = terminal()
    if len(comparison.runs) > 1:
        console.print(comparison_table(comparison))
    for sentence in comparison.answer:
        console.print(sentence, highlight=False, markup=False)
    if written is not None:
        console.print(f"report: {written}", highlight=False, markup=False, soft_wrap=True)
