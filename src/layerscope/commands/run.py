"""`layerscope run train.py --its-args`: watch a training script, without a line of it changed."""

import runpy
import sys
import traceback
from argparse import Namespace, RawDescriptionHelpFormatter
from datetime import datetime
from pathlib import Path
from types import TracebackType

from layerscope.arguments import did_you_mean
from layerscope.commands.command_line import EXAMPLES, add_run_options
from layerscope.commands.one_sentence_parser import OneSentenceParser
from layerscope.exit_codes import ExitCode
from layerscope.process_identity import is_first_process
from layerscope.refusal import refuse
from layerscope.session.local_folder import local_folder

_USAGE = "layerscope run [--logdir DIR] [--fail-on SEVERITY] (SCRIPT | -m MODULE) [ARGUMENTS ...]"


def run(options: Namespace) -> int:
    """Run the script as Python would, watched; its own exit code, or 4 if --fail-on says so."""
    chosen, script, arguments = _split(options.arguments)
    if chosen.module is None and not Path(script).is_file():
        return refuse(f"the script must be a file, got {script}")
    # Not above: they import torch, which a wrong command line need not wait for.
    from layerscope.integrations.script import ScriptWatch
    from layerscope.session.claimed_folder import holds_run
    from layerscope.session.settings import Settings

    name = Path(script).stem if chosen.module is None else script.replace("/", ".")
    folder = chosen.logdir or Path("runs", f"{name}_{datetime.now():%Y-%m-%d_%H-%M-%S}")
    try:
        folder = local_folder(folder, "--logdir")
    except ValueError as error:
        return refuse(error)
    if chosen.logdir is not None and is_first_process() and holds_run(folder):
        return refuse(f"--logdir must be a folder without a run, got {chosen.logdir}")
    settings = Settings(summary=True, fail_on=chosen.fail_on or "never")
    watch = ScriptWatch(folder, settings, named=chosen.logdir is not None)
    watch.start()
    code: int = ExitCode.INTERRUPTED
    try:
        code = _code_of(script, arguments, is_module=chosen.module is not None)
    except KeyboardInterrupt:
        return code
    finally:
        watch.close(interrupted=code != ExitCode.FINISHED)
    if not watch.found and code == ExitCode.FINISHED:
        print(f"layerscope run: {_untrained(watch.left_behind)}", file=sys.stderr)
    refused = any(each.refused is not None for each in watch.networks)
    return ExitCode.REFUSED if refused and not code else code


def _untrained(left_behind: str) -> str:
    """Why no network was found."""
    if left_behind:
        return (
            f"{left_behind} is not trained: the optimizer that takes the steps has parameters of "
            "the same shapes, and none of those that the network is called with (not_optimized); "
            "it was made before the network, or a part of it such as a new head, was replaced, "
            "copied or moved: make the optimizer after that"
        )
    return (
        "no network was seen to train: no module was called with gradients on that an optimizer "
        "of torch's has (one that is called and compiled before its optimizer is made is not "
        "seen: make the optimizer first)"
    )


def _split(typed: list[str]) -> tuple[Namespace, str, list[str]]:
    """Our options, the script or module, and its arguments, which may look like ours."""
    parser = OneSentenceParser(
        prog="layerscope run",
        usage=_USAGE,
        description="Run a training script, and see what every layer of its networks does.",
        epilog=f"examples:\n{EXAMPLES['run']}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    names = add_run_options(parser)
    head = 0
    while head < len(typed) and typed[head].startswith("-") and not typed[head].startswith("-m"):
        name, equals, _ = typed[head].partition("=")
        if not any(known.startswith(name) for known in names):  # so is its start, as in argparse
            parser.error(f"unrecognized arguments: {name}{did_you_mean(name, names)}")
        head += 1 if equals or name in ("-h", "--help") else 2
    last = head + 2 if typed[head : head + 1] == ["-m"] else head + 1
    options = parser.parse_args(typed[:last])
    named = options.module or options.script
    if named is None:
        parser.error("the following arguments are required: SCRIPT, or -m MODULE")
    return options, named, typed[last:]


def _code_of(script: str, arguments: list[str], *, is_module: bool) -> int:
    """Run it under the name `__main__`; the exit code that Python would end with."""
    before, path = sys.argv, list(sys.path)
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path.cwd() if is_module else Path(script).resolve().parent))
    try:
        if is_module:
            runpy.run_module(script, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(script, run_name="__main__")
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return ExitCode.FAILED
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        its_own = _below_runpy(error.__traceback__)
        if its_own is None and isinstance(error, ImportError):
            why = error.__cause__ or error  # without runpy's frame around it
            return refuse(f"the module must be one that Python finds, got {script}: {why}")
        traceback.print_exception(type(error), error, its_own)
        return ExitCode.FAILED
    finally:
        sys.argv, sys.path[:] = before, path
    return ExitCode.FINISHED


def _below_runpy(trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that is the script's own."""
    here = {__file__, runpy.__file__, "<frozen runpy>"}
    while trace is not None and trace.tb_frame.f_code.co_filename in here:
        trace = trace.tb_next
    return trace
