"""What a run's row in TensorBoard's HParams tab says."""

from pathlib import Path

from hydra import compose, initialize_config_dir

from layerscope.training.hparams_row import asked

CONF = Path(__file__).parents[2] / "conf"


def test_what_comes_out_of_the_environment_stays_there(monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", ["folder=x", "seed=${oc.env:TOKEN}", "model.width=7"])
    row = asked(cfg)
    assert row["seed"] == "${oc.env:TOKEN}"
    assert row["model.width"] == 7
