"""The wheel, as somebody installs it who has no checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


def done(*words, **options):
    finished = subprocess.run(
        [*map(str, words)], capture_output=True, text=True, timeout=120, check=False, **options
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    done(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def layerscope(wheel, tmp_path_factory):
    """The console script of an environment with the wheel, and beside it what is installed here."""
    folder = tmp_path_factory.mktemp("environment")
    done(sys.executable, "-m", "venv", "--without-pip", folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    others = [each for each in sys.path if each.endswith("site-packages")]
    (packages / "others.pth").write_text("\n".join(others))
    done(
        *PIP, "--python", folder / "bin/python", "install", "--no-deps", "--force-reinstall", wheel
    )
    return folder / "bin/layerscope"


def committed(folder):
    listed = done("git", "ls-files", folder, cwd=ROOT).splitlines()
    return {Path(each).relative_to(folder).as_posix() for each in listed}


@pytest.mark.slow
def test_a_wheel_has_all_of_the_package_and_conf_inside_it(wheel):
    names = {each.partition("/")[2] for each in zipfile.ZipFile(wheel).namelist()}
    assert committed("src/layerscope") <= names
    assert {f"conf/{each}" for each in committed("conf")} <= names


@pytest.mark.slow
def test_the_command_trains_and_answers_in_an_empty_folder(layerscope, tmp_path):
    here = {"cwd": tmp_path, "env": {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}}
    assert "01_tanh" in done(layerscope, "predict", "init=kaiming", "model.depth=1", **here)
    assert done(layerscope, "explain", "idle", **here).startswith("# idle")
    small = ("monitor=none", "trainer.max_steps=2", "report=false", "names=0")
    assert "2 steps in " in done(layerscope, "train", "init=kaiming", *small, **here)
    (hydra,) = tmp_path.glob("logs/default/*/.hydra/hydra.yaml")
    assert "name: layerscope train" in hydra.read_text()
    assert f"path: {layerscope.parents[1]}" in hydra.read_text()  # conf/ is the wheel's own
