"""`layerscope run SCRIPT`, as a user types it."""

import json
import sys

import pytest

from layerscope.__main__ import main

SCRIPT = """
import sys
import helper  # lies beside the script
from torch import nn, optim, randn
assert __name__ == "__main__"
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = optim.SGD(net.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    net(randn(5, 4)).square().mean().backward()
    optimizer.step()
print("typed", sys.argv[1:])
net(randn(5, 4)).sum().backward()
{end}
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    (tmp_path / "helper.py").write_text("")
    monkeypatch.chdir(tmp_path)

    def written(end="", body=SCRIPT):
        (tmp_path / "sub").mkdir(exist_ok=True)
        path = tmp_path / "train.py"
        path.write_text(body.replace("{end}", end))
        return str(path)

    yield written
    sys.modules.pop("helper", None)


def test_a_script_runs_as_it_is_with_its_own_options_and_output(script, tmp_path, capsys):
    before = (list(sys.argv), list(sys.path))
    assert main(["run", script(), "--logdir", "of the script", "-m"]) == 0
    out, err = capsys.readouterr()
    assert "typed ['--logdir', 'of the script', '-m']\n" in out
    assert "no finding · files: " in out.replace("\n", " ")
    (folder,) = (tmp_path / "runs").iterdir()
    assert f"Sequential is watched; the files land in {folder.relative_to(tmp_path)}\n" in err
    assert json.loads((folder / "diagnosis.json").read_text())["steps"][-1]["step"] == 2
    assert (sys.argv, sys.path) == before


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(7)", 7, ""),
        ("sys.exit('that is why')", 1, "that is why\n"),
        ("raise KeyboardInterrupt", 130, ""),
        ("1 / 0", 1, "ZeroDivisionError: division by zero\n"),
    ],
)
def test_it_ends_as_the_script_does(script, tmp_path, capsys, end, code, told):
    assert main(["run", "--logdir=here", script(end)]) == code
    err = capsys.readouterr().err
    assert err.endswith(told)
    assert "runpy" not in err
    assert (tmp_path / "here" / "diagnosis.json").is_file()


def test_a_module_runs_as_python_m_does(script, tmp_path, capsys):
    script()
    assert main(["run", "--logdir", "here", "-m", "train", "--x"]) == 0
    assert "typed ['--x']\n" in capsys.readouterr().out
    assert (tmp_path / "here" / "diagnosis.json").is_file()
    sys.modules.pop("train", None)


def test_a_finding_that_is_refused_makes_the_exit_code_4(script, capsys):
    body = SCRIPT.replace("net(randn(5, 4)).square()", "(1e30 * net(randn(5, 4))).square()")
    assert main(["run", "--fail-on", "warning", script("", body)]) == 4
    assert main(["run", "--fail-on", "warning", script("sys.exit(3)", body)]) == 3
    capsys.readouterr()


def test_a_script_that_trains_nothing_is_told_so(script, capsys):
    assert main(["run", script(body="print('hello')")]) == 0
    out, err = capsys.readouterr()
    assert out == "hello\n"
    assert err.startswith("layerscope run: no network was seen to train: ")


REPLACED = """
from torch import nn, optim, randn
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).requires_grad_(False)
optimizer = optim.SGD({head}.parameters(), 0.1)
net[2] = nn.Linear(8, 2)
for _ in range(3):
    optimizer.zero_grad()
    net(randn(5, 4)).square().mean().backward()
    optimizer.step()
"""


def test_an_optimizer_of_a_head_that_was_replaced_is_told_and_one_of_other_things_is_not(
    script, capsys
):
    assert main(["run", script(body=REPLACED.format(head="net[2]"))]) == 0
    assert "Sequential is not trained: the optimizer" in capsys.readouterr().err
    assert main(["run", script(body=REPLACED.format(head="nn.Linear(3, 2)"))]) == 0
    assert "no network was seen to train" in capsys.readouterr().err


def test_a_script_does_not_begin_where_its_named_folder_holds_a_run(script, tmp_path, capsys):
    made = script()
    assert main(["run", "--logdir=here", made]) == 0
    capsys.readouterr()
    assert main(["run", "--logdir=here", made]) == 2
    told = capsys.readouterr()
    assert told.err == "error: --logdir must be a folder without a run, got here\n"
    assert told.out == ""


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["nowhere.py"], "error: the script must be a file, got nowhere.py\n"),
        ([], "the following arguments are required: SCRIPT, or -m MODULE\n"),
        (["--fail-on", "criticl", "x.py"], "'critical'); did you mean critical?"),
        (["--logdri", "x", "train.py"], "arguments: --logdri; did you mean --logdir?\n"),
        (["--nosuch=1", "train.py", "--its=2"], "unrecognized arguments: --nosuch\n"),
        (["-m"], "expected one argument"),
        (
            ["-m", "no.such"],
            "error: the module must be one that Python finds, got no.such: No module named 'no'",
        ),
        (["--logdir=", "x.py"], "argument --logdir: must be a path, got ''"),
        (["--logdir", "s3://a/b", __file__], "--logdir must be a folder on this machine, got 's3:"),
    ],
)
def test_bad_usage_is_told_in_a_sentence_with_exit_code_2(typed, told, capsys):
    try:
        code = main(["run", *typed])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.startswith("error: ")
    assert said.count("\n") == 1
