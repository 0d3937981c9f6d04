"""The command line: `layerscope`, or `python -m layerscope`."""

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from layerscope.commands.command_line import parser_of
from layerscope.exit_codes import ExitCode
from layerscope.extras import needs
from layerscope.reader_gone import while_read
from layerscope.refusal import refuse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand that the arguments name; its exit code."""
    return while_read(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    is_module = Path(sys.argv[0]).name == "__main__.py"
    parser = parser_of("python -m layerscope" if is_module else "layerscope")
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what could be typed next
        import argcomplete

        argcomplete.autocomplete(parser)
    typed = list(sys.argv[1:] if arguments is None else arguments)
    if not typed:
        parser.print_help()
        return ExitCode.BAD_SETTING
    if typed[:1] == ["train"]:
        return _called("train", lambda: _train(typed[1:], parser.prog))
    if typed[:1] == ["run"]:  # what follows the script is the script's
        return _command(Namespace(command="run", arguments=typed[1:]))
    options, rest = parser.parse_known_args(typed)
    # Overrides that come after an option: argparse takes those before it for all that there are.
    if any(each.startswith("-") for each in rest) or (rest and "overrides" not in options):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.overrides += rest
    return _command(options)


def _train(arguments: Sequence[str], program: str) -> int:
    from layerscope.lab.conf_folder import conf_folder
    from layerscope.training.train import main as train

    return train(conf_folder(), arguments, f"{program} train")


def _command(options: Namespace) -> int:
    # Only the one that was asked for: others may import PyTorch.
    def run() -> int:
        return int(import_module(f"layerscope.commands.{options.command}").run(options))

    return _called(options.command, run)


def _called(command: str, run: Callable[[], int]) -> int:
    try:
        return run()
    except KeyboardInterrupt:  # PyTorch's import takes seconds, in which many press Ctrl-C
        return ExitCode.INTERRUPTED
    except ModuleNotFoundError as error:
        if (sentence := needs(command, error)) is None:
            raise
        return refuse(sentence)


if __name__ == "__main__":
    sys.exit(main())
