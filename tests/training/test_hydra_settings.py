"""What Hydra would run of somebody's config is refused before it does."""

from pathlib import Path

import pytest

from layerscope.training.hydra_settings import check_somebodys

CONF = Path(__file__).parents[2] / "conf"
TARGET = "{_target_: os.mkdir, path: ran}"
LOGGED = "version: 1, handlers: {console: {class: logging.StreamHandler, stream: "
HOSTILE = {
    "callback": f"callbacks: {{mine: {TARGET}}}",
    "launcher": "launcher: {_target_: os.getcwd}",
    "sweeper": "sweeper: {_target_: os.getcwd}",
    "handler": "hydra_logging: {version: 1, handlers: {mine: {class: os.mkdir}}}",
    "factory": "job_logging: {version: 1, formatters: {mine: {(): os.mkdir, path: ran}}}",
    "passed_on": "job_logging: {version: 1, filters: {mine: {(): logging.os.mkdir, path: ran}}}",
    "by_a_plugin": "callbacks: {mine: {_target_: hydra.experimental.callbacks.pickle.loads}}",
    "stream": f"job_logging: {{{LOGGED}'ext://os.environ'}}}}}}",
    "hidden": "callbacks: \"${oc.create:'{mine: {_target_: os.mkdir, path: ran}}'}\"",
    "late": "callbacks: {mine: {_target_: '${hydra:runtime.cwd}'}}",
}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/experiment").mkdir(parents=True)
    for name, text in HOSTILE.items():
        (tmp_path / f"conf/experiment/{name}.yaml").write_text(
            f"# @package _global_\nhydra:\n  {text}\n"
        )
    return tmp_path / "conf"


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_config_would_have_hydra_call_is_refused(mine, name):
    with pytest.raises(ValueError, match=r"^hydra\.\S+ must be (a class of|known|ext://sys)"):
        check_somebodys(CONF, mine, "train", [f"experiment={name}"], sweeps=False)
    assert not Path("ran").exists()


@pytest.mark.parametrize("typed", ["hydra.launcher=null", "hydra.sweeper=abc", "hydra.verbose=5"])
def test_a_value_that_hydra_only_asserts_is_one_sentence(typed):
    key = typed.partition("=")[0].replace(".", r"\.")
    with pytest.raises(ValueError, match=f"^{key} must be .*, got "):
        check_somebodys(CONF, None, "train", [typed], sweeps=False)


def test_so_is_what_one_choice_of_a_sweep_would(mine):
    overrides = ["seed=1,2", "experiment=vanishing,factory"]
    with pytest.raises(ValueError, match=r"^hydra\.job_logging\.formatters\.mine\.\(\) must be"):
        check_somebodys(CONF, mine, "train", overrides, sweeps=True)


def test_what_the_user_trusts_is_not(mine):
    check_somebodys(CONF, mine, "train", ["experiment=launcher", "trust=[os]"], sweeps=False)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Optuna 2 imports
@pytest.mark.parametrize(
    "overrides",
    [
        ["+search=optuna", "hydra/launcher=joblib"],
        ["hydra/job_logging=default", "hydra/hydra_logging=default"],
        ["hydra/launcher=submitit", "hydra.verbose=true"],
    ],
)
def test_what_hydra_and_its_plugins_bring_is_not(overrides):
    check_somebodys(CONF, None, "train", overrides, sweeps=True)
