"""`pip install layerscope` brings little: what it does without is neither imported nor missed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRA = (
    "lightning",
    "hydra",
    "omegaconf",
    "matplotlib",
    "plotly",
    "jinja2",
    "scipy",
    "transformers",
)

WITHOUT = f"""
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRA}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""

LOOP = """
import torch
from layerscope import read, watch
net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
with watch(net, "run", images=True) as watcher:
    for _ in range(60):
        optimizer.zero_grad()
        loss = net(torch.randn(5, 4)).square().mean()
        loss.backward()
        optimizer.step()
        watcher.step(loss)
assert watcher.failure is None
print(len(read("run").figures.steps), read("run").findings == watcher.findings)
"""


def python(code, folder, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
    )


def names(requirements):
    return {re.match(r"[\w-]+", each).group() for each in requirements}


def test_only_what_every_run_needs_is_installed():
    needed = {"torch", "numpy", "numba", "tensorboard", "google-crc32c", "rich"}
    assert names(PROJECT["dependencies"]) <= needed
    (torch,) = [each for each in PROJECT["dependencies"] if each.startswith("torch")]
    assert "==" not in torch


def test_watching_imports_nothing_of_the_extras(tmp_path):
    code = (
        f"import sys; from layerscope import watch; print([m for m in {EXTRA} if m in sys.modules])"
    )
    done = python(code, tmp_path)
    # numba looks for SciPy itself
    assert done.stdout.strip() in ("[]", "['scipy']"), done.stderr


def test_reading_a_run_imports_no_torch(tmp_path):
    done = python(
        "import sys; from layerscope import read; print('torch' in sys.modules)", tmp_path
    )
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.slow
def test_a_plain_loop_is_watched_and_read_where_no_extra_is_installed(tmp_path):
    done = python(WITHOUT + LOOP, tmp_path)
    assert done.stdout.splitlines()[-1:] == ["60 True"], done.stderr
    assert done.stderr.splitlines() == [
        "watch: a picture of the run needs matplotlib: pip install 'layerscope[report]'; "
        "images=False draws none"
    ]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("LayerMonitor", "LayerMonitor needs lightning: pip install lightning"),
        ("EventLogger", "EventLogger needs lightning: pip install lightning"),
        (
            "LayerScopeCallback",
            "LayerScopeCallback needs transformers: pip install 'layerscope[huggingface]'",
        ),
    ],
)
def test_what_needs_an_extra_says_which(tmp_path, name, sentence):
    done = python(WITHOUT + f"import layerscope; layerscope.{name}", tmp_path)
    assert done.stderr.splitlines()[-1] == f"ModuleNotFoundError: {sentence}"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("report", "run"), r"report needs \w+: pip install 'layerscope\[report\]'"),
        (("predict", "init=kaiming"), r"predict needs hydra: pip install 'layerscope\[train\]'"),
    ],
)
def test_a_command_that_needs_an_extra_says_which_and_exits_with_2(tmp_path, arguments, sentence):
    code = WITHOUT + "import layerscope.__main__ as m; sys.exit(m.main(sys.argv[1:]))"
    done = python(code, tmp_path, *arguments)
    assert done.returncode == 2
    assert re.fullmatch(f"error: {sentence}", done.stderr.strip())


def test_a_module_that_no_extra_brings_is_not_explained_away(tmp_path):
    code = WITHOUT.replace(f"{EXTRA}", "('numpy',)") + "import layerscope; layerscope.watch"
    assert "No module named 'numpy'" in python(code, tmp_path).stderr


def test_the_command_tells_its_version(tmp_path):
    code = "import layerscope.__main__ as m, sys; sys.argv[0] = 'layerscope'; m.main(['--version'])"
    assert python(code, tmp_path).stdout.strip() == f"layerscope {PROJECT['version']}"


def test_the_public_names_are_listed_and_there():
    import layerscope

    assert {"EventLogger", "LayerMonitor", "read", "watch"} <= set(dir(layerscope))
    of_an_extra = {"LayerScopeCallback"}  # which the tests do without
    assert all(getattr(layerscope, name) for name in {*layerscope.__all__} - of_an_extra)
    with pytest.raises(AttributeError, match="'layerscope' has no attribute 'wacth'"):
        _ = layerscope.wacth
