"""What may be typed after `layerscope`: the commands, their options, and an example of each."""

import os
import sys
from argparse import (
    Action,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    RawDescriptionHelpFormatter,
)
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import layerscope
from layerscope.commands.one_sentence_parser import OneSentenceParser
from layerscope.lab.conf_folder import conf_folder

EXAMPLES = {
    "train": """\
  layerscope train init=kaiming
  layerscope train --help              every setting, with its value""",
    "run": """\
  layerscope run train.py --epochs 3
  layerscope run --fail-on warning --logdir runs/mine train.py
  layerscope run -m my_package.train""",
    "show": """\
  layerscope show                      the newest run in this folder or below
  layerscope show runs/mine""",
    "predict": """\
  layerscope predict init=kaiming
  layerscope predict init=xavier model.depth=50 model.activation=tanh
  layerscope predict --config-dir my_conf init=mine""",
    "diagnose": """\
  layerscope diagnose runs/mine
  layerscope diagnose runs/mine thresholds.saturated_bad=0.3
  layerscope diagnose --fail-on warning --json runs/mine""",
    "report": """\
  layerscope report runs/mine          the page of one run
  layerscope report runs               all runs in a folder, side by side""",
    "explain": """\
  layerscope explain                   all rules, a line for each
  layerscope explain saturated""",
    "ward": """\
  layerscope ward                      twenty sick nets and four healthy ones
  layerscope ward --seed 7 --patients 6
  layerscope ward --page ward.html     the same in a browser""",
    "digest": """\
  layerscope digest runs/mine > digest.json""",
}


def parser_of(program: str) -> ArgumentParser:
    """The parser of all commands; `run` and `train` read what follows them by themselves.

    Args:
        program: what was typed: "layerscope" or "python -m layerscope".
    """
    parser = OneSentenceParser(
        prog=program,
        description="See what every layer of a network does while it trains.",
        epilog="layerscope COMMAND --help shows the options of a command, and examples.",
    )
    parser.add_argument(
        "--version", action="version", version=f"layerscope {layerscope.__version__}"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, says: str) -> ArgumentParser:
        return commands.add_parser(
            name,
            help=says,
            description=f"{says[0].upper()}{says[1:]}.",
            epilog=f"examples:\n{EXAMPLES[name]}",
            formatter_class=RawDescriptionHelpFormatter,
        )

    def run_folder(of: ArgumentParser) -> None:
        of.add_argument("run", type=_path, metavar="RUN_DIR", help="folder of one run")

    train = command("train", "train a network on names, or the networks of a sweep with -m")
    train.add_argument(
        "-m", "--multirun", action="store_true", help="train each combination of the settings"
    )
    train.add_argument("--config-dir", type=_path, help="with configs of your own")
    _overrides(train, "settings: init=kaiming model.depth=50")
    add_run_options(command("run", "watch a training script as it is"))
    show = command("show", "what was found in a run, and a table of its layers, in the terminal")
    show.add_argument(
        "folder", type=_path, nargs="?", default=Path(), metavar="FOLDER",
        help="a run, or a folder with runs below it: the newest is shown; by default this folder",
    )  # fmt: skip
    predict = command("predict", "what theory expects of every layer before its first step")
    predict.add_argument("--config-dir", type=_path, help="with configs of your own")
    _overrides(predict, "settings as for training: init=kaiming model.depth=50")
    diagnose = command("diagnose", "judge a run again from its event files")
    diagnose.add_argument("--classes", type=int, help="how many classes the loss chooses from")
    diagnose.add_argument(
        "--without",
        metavar="RULE",
        action="append",
        default=[],
        help="a rule to leave out; may be repeated",
    )
    diagnose.add_argument("--json", action="store_true", help="print the findings as JSON")
    diagnose.add_argument(
        "--fail-on",
        choices=("warning", "critical"),
        help="exit with 4 if a finding is this bad, or worse",
    )
    run_folder(diagnose)
    diagnose.add_argument(
        "overrides", nargs="*", default=[], help="other thresholds: thresholds.saturated_bad=0.3"
    )
    report = command("report", "compare the runs in a folder, and write report.html")
    report.add_argument(
        "folder", type=_path, metavar="FOLDER", help="a run, or a folder with runs below it"
    )
    explain = command("explain", "what a finding means, how it is judged, and what to do")
    rule = explain.add_argument(
        "rule", nargs="?", metavar="RULE", help="the rule; by default all, a line for each"
    )
    rule.completer = _rule_names  # type: ignore[attr-defined] # argcomplete looks for it
    explain.add_argument("--json", action="store_true", help="print it as JSON")
    ward = command("ward", "a quiz: which disease do these charts show? With a score")
    ward.add_argument("--seed", type=int, default=0, help="another seed draws other patients")
    ward.add_argument("--patients", type=int, default=24, help="how many; five of six are sick")
    ward.add_argument(
        "--page", type=_path, metavar="FILE", help="write the quiz as a page that needs no network"
    )
    ward.add_argument(
        "--answers", type=_path, metavar="FILE", help="your answers, one a line, instead of asking"
    )
    run_folder(command("digest", "what a program needs to know of a run, as JSON of at most 32 kB"))
    return parser


def add_run_options(parser: ArgumentParser) -> list[str]:
    """Those of `layerscope run`, and their names; what follows the script is the script's own."""
    logdir = parser.add_argument(
        "--logdir",
        type=_path,
        metavar="DIR",
        help="where the files go; by default runs/SCRIPT_TIME",
    )
    fail_on = parser.add_argument(
        "--fail-on",
        choices=("warning", "critical"),
        help="exit with 4 if the script succeeds and a finding is this bad, or worse",
    )
    parser.add_argument(
        "-m", dest="module", metavar="MODULE", help="run a module, as python -m does"
    )
    parser.add_argument(
        "script", nargs="?", metavar="SCRIPT", help="the script, and then its own arguments"
    )
    return ["-h", "--help", *logdir.option_strings, *fail_on.option_strings]


def _path(text: str) -> Path:
    if not text or "\0" in text:  # Path("") is the working folder
        raise ArgumentTypeError(f"must be a path, got {text!r}")
    return Path(text)


def _overrides(parser: ArgumentParser, says: str) -> None:
    action: Action = parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help=says)
    action.completer = complete_overrides  # type: ignore[attr-defined] # argcomplete looks for it


def _rule_names(**_: object) -> list[str]:
    from layerscope.diagnose.rule_page import page_names  # not above: only a Tab needs it

    return page_names()


def complete_overrides(prefix: str, parsed_args: Namespace, **_: object) -> list[str]:
    """What a setting that begins so may be; argcomplete calls it by these names."""
    try:
        import hydra
    except ModuleNotFoundError:
        return []
    before = getattr(parsed_args, "overrides", None) or []
    mine = getattr(parsed_args, "config_dir", None)
    os.environ["COMP_LINE"] = " ".join(["layerscope", *before, prefix])
    added = [] if mine is None else ["--config-dir", str(mine)]
    sys.argv[1:] = [*added, "--shell-completion", "query=bash"]
    said = StringIO()
    with redirect_stdout(said):
        hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")(
            lambda _: None
        )()
    return said.getvalue().split()
