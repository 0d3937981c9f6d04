"""Every command of the pages is one that there is, and every block of code runs."""

import re
import shlex
from pathlib import Path

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from torch import nn

import layerscope
from layerscope.__main__ import main
from layerscope.commands.command_line import parser_of
from layerscope.lab.conf_folder import conf_folder, searched
from layerscope.training.check import check
from tests.makefile import make
from tests.runs import Made

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
TRAIN = ("python train.py ", "layerscope train ", "python -m layerscope train ")
ELSEWHERE = {  # what is not ours to test, or is tested where it is written here
    "tensorboard": "tests/sinks/test_tensorboard_server.py",
    "pip": "tests/test_package.py",
    "eval": "tests/commands/test_completion.py",
    "source": "a shell's own",
}


def fences(text):
    """The language and the text of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(page):
    """The lines of code blocks and the spans of code that a shell is to run."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^ {4}(.+)$", text, re.MULTILINE)
    for language, block in fences(text):
        blocks += [] if language else block.splitlines()
    spans = re.findall(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)", text)
    programs = ("python train.py", "python -m layerscope", "layerscope", "make", *ELSEWHERE)
    found = (" ".join(each.split()) for each in (*blocks, *spans))
    starts = tuple(f"{program} " for program in programs)
    return list(dict.fromkeys(each for each in found if each.startswith(starts)))


COMMANDS = {line: page.relative_to(ROOT).as_posix() for page in PAGES for line in commands(page)}
TRAININGS = [line for line in COMMANDS if f"{line} ".startswith(TRAIN)]
OURS = [
    line
    for line in COMMANDS
    if line.startswith(("layerscope ", "python -m layerscope ")) and line not in TRAININGS
]


def named(lines):
    return [pytest.param(line, id=f"{COMMANDS[line]}: {line}") for line in lines]


def test_each_line_is_of_a_program_that_is_tested():
    others = [
        line
        for line in COMMANDS
        if line not in TRAININGS
        and line not in OURS
        and line.split()[0] not in (*ELSEWHERE, "make")
    ]
    assert others == []
    assert len(TRAININGS) > 20
    assert len(OURS) > 20


@pytest.mark.parametrize("line", named(TRAININGS))
def test_a_training_can_be_run_as_it_is_typed(tmp_path, line):
    words = shlex.split(line, comments=True)
    overrides = [word for word in words[words[0] != "layerscope" :] if "=" in word]
    mine = None
    if "--config-dir" in words:
        mine = tmp_path
        (mine / "init").mkdir()
        (mine / "init" / "mine.yaml").write_text(blocks_of("install.md", "yaml")[0])
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        parsed = OverridesParser.create().parse_overrides(overrides)
        assert "-m" in words or "search" in line or not any(o.is_sweep_override() for o in parsed)
        one = [
            f"{each.get_key_element()}={next(each.sweep_string_iterator())}"
            if each.is_sweep_override()
            else each.input_line
            for each in parsed
        ]
        check(compose("train", [*one, *searched(mine)]), one)


@pytest.mark.parametrize("line", named(OURS))
def test_a_command_of_ours_takes_what_is_typed_and_answers_at_once(tmp_path, monkeypatch, line):
    words = shlex.split(line, comments=True)
    words = words[words.index("layerscope") + 1 :]
    words = words[: words.index("|")] if "|" in words else words
    if words[0] not in ("--help", "--version", "COMMAND"):
        parser_of("layerscope").parse_known_args([*words, *(["x"] if len(words) == 1 else [])])
    named_only = any(word.isupper() for word in words) or "--config-dir" in words
    if words[0] in ("predict", "explain") and not named_only:
        assert main(words) == 0


def test_the_command_alone_shows_what_there_is(capsys):
    assert main([]) == 2
    assert "layerscope COMMAND --help" in capsys.readouterr().out


@pytest.mark.parametrize("line", named(each for each in COMMANDS if each.startswith("make ")))
def test_a_make_target_is_there(line):
    target = shlex.split(line, comments=True)[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    if target == "help":
        assert make("help").returncode == 0


def blocks_of(name, language="python"):
    """The blocks of a page in one language; "" of those that name none."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return [block for said, block in fences(text) if said == language]


def test_the_blocks_on_rules_and_thresholds_run():
    ours = {}
    judging, own_rule = blocks_of("diagnosis.md")
    exec(judging, {"layers": ()})
    before = dict(layerscope.diagnose.RULES)
    try:
        exec(own_rule, ours)
        assert layerscope.diagnose.RULES.keys() - before.keys() == {"mostly_zero"}
    finally:
        for name in layerscope.diagnose.RULES.keys() - before.keys():
            del layerscope.diagnose.RULES[name]


def test_the_block_of_the_report_writes_its_files(tmp_path):
    for seed in (0, 1):
        Made(seed=seed).write(tmp_path)
    (block,) = blocks_of("report.md")
    exec(block, {"folder": tmp_path})
    assert {"comparison.json", "comparison.csv", "report.html"} <= {
        each.name for each in tmp_path.iterdir()
    }


def of_a_loop():
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    batches = [(torch.randn(5, 6), torch.randint(3, (5,))) for _ in range(3)]
    return {
        "net": net,
        "optimizer": torch.optim.AdamW(net.parameters(), lr=0.01),
        "batches": batches,
        "cross_entropy": nn.functional.cross_entropy,
        "layerscope": layerscope,
    }


def test_the_loop_of_fabric_runs(tmp_path, monkeypatch):
    from lightning.fabric import Fabric

    monkeypatch.chdir(tmp_path)
    (block,) = [each for each in blocks_of("frameworks.md") if "fabric" in each]
    exec(block, of_a_loop() | {"fabric": Fabric(accelerator="cpu", devices=1)})
    assert len(layerscope.read("logs/mine").figures.steps) == 3


def test_the_loop_of_accelerate_runs(tmp_path, monkeypatch):
    accelerate = pytest.importorskip("accelerate", reason="make frameworks-test installs it")
    monkeypatch.chdir(tmp_path)
    (block,) = [each for each in blocks_of("frameworks.md") if "accelerator.prepare" in each]
    exec(block, of_a_loop() | {"accelerator": accelerate.Accelerator(cpu=True)})
    assert len(layerscope.read("logs/mine").figures.steps) == 3


def test_the_callback_of_skorch_watches_its_training(tmp_path, monkeypatch):
    skorch = pytest.importorskip("skorch", reason="make frameworks-test installs it")
    monkeypatch.chdir(tmp_path)
    (block,) = [each for each in blocks_of("frameworks.md") if "skorch" in each]
    names = {"skorch": skorch, "layerscope": layerscope}
    exec(block, names)
    x = torch.randn(64, 6)
    trained = []
    for callbacks in ([names["Watch"]()], []):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))
        net = skorch.NeuralNetClassifier(
            module, criterion=nn.CrossEntropyLoss, max_epochs=2, batch_size=16, verbose=0,
            train_split=None, callbacks=callbacks,
        )  # fmt: skip
        net.fit(x, (x[:, 0] > 0).long())
        trained.append(net.module_[0].weight)
    assert torch.equal(*trained)
    assert len(layerscope.read("logs/mine").scalars["train/loss"].steps) == 8


def test_the_callback_of_lightning_cli_is_there():
    (block,) = blocks_of("frameworks.md", "yaml")
    (callback,) = yaml.safe_load(block)["trainer"]["callbacks"]
    name = callback["class_path"].removeprefix("layerscope.")
    getattr(layerscope, name)(**callback["init_args"])


def _without_counts(story):
    """How many test programs a rule was met in changes with them."""
    words, line = "how sure: true in [0-9]+ of [0-9]+ test programs", "[^!]*"
    assert re.search(words, story)
    return re.sub(words + line, "", story)


@pytest.mark.slow
def test_the_tutorial_of_the_engineer_runs_as_it_is_typed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs/tutorials/engineer.md"
    script, (told,) = (
        blocks_of("tutorials/engineer.md")[0],
        blocks_of("tutorials/engineer.md", ""),
    )
    typed = [line for line in commands(page) if line.startswith("layerscope ")]
    Path("train_mine.py").write_text(script)
    for line in typed:
        if "mended" in line:
            Path("train_mine.py").write_text(script.replace("nn.Sigmoid()", "nn.Tanh()"))
        assert main(shlex.split(line)[1:]) == 0, line
        out = " ".join(capsys.readouterr().out.split())
        if "first" in line and " run " in line:
            assert out.startswith("loss 0.694")
            assert _without_counts(" ".join(told.split())) in _without_counts(out)
        if "mended" in line:
            assert float(out.split()[1]) < 0.1
            assert "no finding" in out
    assert Path("runs/report.html").exists()
