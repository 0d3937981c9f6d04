"""Another Hydra program in the environment where layerscope is installed runs as if it were not."""

import subprocess
import sys
import textwrap

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

APP = """
    import os
    import hydra

    @hydra.main(version_base="1.3", config_path=".", config_name="app")
    def main(cfg):
        print(f"x={cfg.x} pid={os.getpid()}")

    if __name__ == "__main__":
        main()
"""


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_sweep_of_a_foreign_app_runs_with_the_launchers_own_settings(tmp_path, launcher):
    if launcher == "joblib":
        pytest.importorskip("joblib")
    (tmp_path / "app.py").write_text(textwrap.dedent(APP))
    (tmp_path / "app.yaml").write_text("x: 0\n")
    done = subprocess.run(
        [sys.executable, "app.py", "-m", "x=1,2,3", f"hydra/launcher={launcher}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = sorted(line for line in done.stdout.splitlines() if line.startswith("x="))
    assert [line.split()[0] for line in lines] == ["x=1", "x=2", "x=3"]


def test_no_plugin_and_no_setting_of_hydra_is_layerscopes():
    plugins = [each.__module__ for each in Plugins.instance().discover()]
    assert not [module for module in plugins if "layerscope" in module]
    launchers = ConfigStore.instance().repo["hydra"]["launcher"]
    assert {"basic.yaml", "joblib.yaml", "ray.yaml", "submitit_local.yaml"} <= set(launchers)
