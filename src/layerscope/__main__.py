"""The command line: `layerscope`, or `python -m layerscope`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import layerscope
from layerscope.exit_codes import ExitCode
from layerscope.extras import needs
from layerscope.reader_gone import while_read


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand that the arguments name; its exit code."""
    return while_read(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    is_module = Path(sys.argv[0]).name == "__main__.py"
    parser = ArgumentParser(
        prog="python -m layerscope" if is_module else "layerscope",
        description="See what every layer of a network does while it trains.",
    )
    parser.add_argument(
        "--version", action="version", version=f"layerscope {layerscope.__version__}"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    predict = commands.add_parser(
        "predict", help="what theory expects of every layer of a network before its first step"
    )
    predict.add_argument(
        "overrides", nargs="*", help="settings as for train.py: init=kaiming model.depth=50"
    )
    predict.add_argument(
        "--conf", type=Path, help="folder with train.yaml; conf in this folder or the repository"
    )
    report = commands.add_parser(
        "report", help="compare the runs in a folder, and write report.html, from their event files"
    )
    report.add_argument("folder", type=Path, help="of one run, or with runs below it")
    diagnose = commands.add_parser(
        "diagnose", help="judge a run again from its event files, with other thresholds"
    )
    diagnose.add_argument("--classes", type=int, help="that the loss chooses from")
    diagnose.add_argument(
        "--without", metavar="RULE", action="append", default=[], help="that is not to judge"
    )
    diagnose.add_argument("--json", action="store_true", help="print them as JSON")
    diagnose.add_argument(
        "--fail-on", choices=("warning", "critical"), help="exit with 4 if there is one as bad"
    )
    diagnose.add_argument("run", type=Path, metavar="RUN_DIR", help="folder of one run")
    diagnose.add_argument(
        "overrides", nargs="*", help="thresholds as for train.py: thresholds.saturated_bad=0.3"
    )
    explain = commands.add_parser(
        "explain", help="what a finding means, how it is judged, and what to do"
    )
    explain.add_argument("rule", nargs="?", metavar="RULE", help="its name; all rules without it")
    explain.add_argument("--json", action="store_true", help="print it as JSON")
    digest = commands.add_parser(
        "digest", help="what a program needs to know of a run, as JSON of at most 32 kB"
    )
    digest.add_argument("run", type=Path, metavar="RUN_DIR", help="folder of one run")
    commands.add_parser("run", help="watch a training script as it is: layerscope run train.py")
    typed = list(sys.argv[1:] if arguments is None else arguments)
    if typed[:1] == ["run"]:  # what follows the script is the script's
        return _called(Namespace(command="run", arguments=typed[1:]))
    options, rest = parser.parse_known_args(typed)
    # Overrides that come after an option: argparse takes those before it for all that there are.
    if any(each.startswith("-") for each in rest) or (rest and "overrides" not in options):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.overrides += rest
    return _called(options)


def _called(options: Namespace) -> int:
    # Only the one that was asked for: others may import PyTorch.
    try:
        return int(import_module(f"layerscope.commands.{options.command}").run(options))
    except ModuleNotFoundError as error:
        if (sentence := needs(options.command, error)) is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        return ExitCode.BAD_SETTING


if __name__ == "__main__":
    sys.exit(main())
