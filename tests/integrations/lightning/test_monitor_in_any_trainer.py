"""Whatever a Trainer is asked for: where the monitor writes, and what it refuses."""

import lightning.pytorch as pl
import pytest
import torch
import yaml
from lightning.pytorch.loggers import Logger
from torch import nn

from layerscope import EventLogger, LayerMonitor, read
from tests.integrations.doors import Loader


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.build()

    def build(self):
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Linear(4, 64), nn.Tanh())
        self.last = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))

    def training_step(self, batch, batch_idx):
        return self.last(self.first(batch)).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)

    def train_dataloader(self):
        torch.manual_seed(1)
        return Loader([torch.randn(4, 4) for _ in range(6)])


class BuiltInSetup(Net):
    def __init__(self):
        pl.LightningModule.__init__(self)

    def setup(self, stage):
        self.build()


class BuiltInConfigureModel(BuiltInSetup):
    def setup(self, stage):
        pass

    def configure_model(self):
        if not hasattr(self, "first"):
            self.build()


class Remote(Logger):
    """Of a service: it writes nothing on this machine."""

    name, version, save_dir = "service", 0, "gs://bucket/run"

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params):
        pass


def fit(net, *monitors, ckpt_path=None, **options):
    settings = {
        "max_epochs": 1,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 1,
    }
    trainer = pl.Trainer(callbacks=list(monitors), **settings | options)
    trainer.fit(net, ckpt_path=ckpt_path)
    return trainer


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", [BuiltInSetup, BuiltInConfigureModel])
def test_layers_that_are_built_when_fit_begins_are_watched(tmp_path, kind):
    monitor = LayerMonitor(tmp_path)
    fit(kind(), monitor)
    assert monitor.failure is None
    assert read(tmp_path).histograms["activation/00_tanh_first.1"].steps.tolist() == list(range(6))


def test_a_choice_that_leaves_no_layer_is_refused_when_fit_begins(tmp_path):
    with pytest.raises(ValueError, match="has no module to watch that layers='x' chooses"):
        fit(BuiltInSetup(), LayerMonitor(tmp_path, layers="x"))


def test_a_fast_dev_run_is_watched_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monitor = LayerMonitor("mine")
    fit(Net(), monitor, fast_dev_run=3)
    assert monitor.failure is None
    assert [step["step"] for step in monitor.diagnosis["steps"]] == [0, 2]
    assert files(tmp_path) == []


def test_files_stay_where_they_were_begun_when_the_working_folder_changes(tmp_path, monkeypatch):
    class Moves(Net):
        def on_train_batch_start(self, batch, batch_idx):
            if batch_idx == 2:
                monkeypatch.chdir(tmp_path / "elsewhere")

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monitor = LayerMonitor("logs/mine")
    fit(Moves(), monitor, logger=EventLogger("logs/mine"))
    assert monitor.failure is None
    assert (tmp_path / "logs" / "mine" / "diagnosis.json").exists()
    assert len(read(tmp_path / "logs" / "mine").figures.steps) == 6
    assert files(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("spelling", ["path", "relative", "link", "dots"])
def test_a_folder_in_two_spellings_has_one_event_file(tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    run = tmp_path / "run"
    spelt = {"path": run, "relative": "run/", "link": tmp_path / "link" / "run", "dots": "a/../run"}
    monitor = LayerMonitor(log_dir=spelt[spelling])
    fit(Net(), monitor, logger=EventLogger(str(run)))
    assert monitor.failure is None
    assert len(list(run.glob("*tfevents*"))) == 1


def test_an_address_is_refused_at_construction_or_when_fit_begins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for make in (LayerMonitor, EventLogger):
        with pytest.raises(ValueError, match="on this machine, got 's3://bucket/run'"):
            make("s3://bucket/run")
    with pytest.raises(ValueError, match="on this machine, got 'gs://bucket/run'"):
        fit(Net(), LayerMonitor(), logger=Remote())
    assert files(tmp_path) == []


@pytest.mark.parametrize("log_dir", [None, "run"])
def test_two_monitors_of_one_folder_get_names_of_their_own(tmp_path, monkeypatch, caplog, log_dir):
    monkeypatch.chdir(tmp_path)
    pair = [LayerMonitor(log_dir, layers=part) for part in ("first", "last")]
    fit(Net(), *pair, logger=EventLogger("run"))
    assert "run is being written by another LayerMonitor; this one is written to" in caplog.text
    for part, layers in (("run", 1), ("run_2", 2)):
        figures = read(part).figures
        assert (len(figures.layers), len(figures.steps)) == (layers, 6)


def test_a_second_training_of_this_process_gets_the_next_folder_with_its_logger(tmp_path, caplog):
    for _ in range(2):
        fit(Net(), LayerMonitor(tmp_path / "run"), logger=EventLogger(tmp_path / "run"))
    assert f"this one is written to {tmp_path}/run_2" in caplog.text
    for folder in ("run", "run_2"):
        assert len(list((tmp_path / folder).glob("*tfevents*"))) == 1
        assert read(tmp_path / folder).figures.steps.tolist() == list(range(6))


def test_a_run_of_another_process_is_refused_before_training_unless_it_is_resumed(
    tmp_path, monkeypatch
):
    fit(Net(), LayerMonitor(tmp_path / "first"), max_epochs=1)
    (tmp_path / "first").rename(tmp_path / "run")  # this process has never heard of it
    net = Net()
    with pytest.raises(ValueError, match=r"holds an earlier run; choose another folder, or"):
        fit(net, LayerMonitor(tmp_path / "run"))
    assert read(tmp_path / "run").figures.steps.tolist() == list(range(6))


def test_a_checkpoint_written_after_fit_carries_the_findings_to_another_spelling(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)

    def saturated():
        net = Net()
        with torch.no_grad():
            net.first[0].weight.mul_(50)
        return net

    first, second = LayerMonitor("run"), LayerMonitor(tmp_path / "run")
    fit(saturated(), first).save_checkpoint("last.ckpt")
    fit(saturated(), second, max_epochs=2, ckpt_path="last.ckpt")
    begun = [
        {each["rule"]: each["step"] for each in monitor.diagnosis["findings"]}
        for monitor in (first, second)
    ]
    assert begun[0]["saturated"] == begun[1]["saturated"] == 0
    rules = [each["rule"] for each in second.diagnosis["findings"]]
    assert len(rules) == len(set(rules))


@pytest.mark.filterwarnings("ignore:Found 8 module:UserWarning")  # Lightning's own word
def test_a_network_that_is_trained_in_evaluation_mode_is_told(tmp_path, caplog):
    net = Net().eval()
    monitor = LayerMonitor(tmp_path)
    fit(net, monitor)
    told = [record.getMessage() for record in caplog.records if record.name == "layerscope"]
    assert told == [
        "LayerMonitor: the network is in evaluation mode at step 0, so its layers are not "
        "measured: call train() on it before the training step"
    ]
    assert {each["layer"] for each in monitor.diagnosis["not_measured"]} == {
        "00_tanh_first.1",
        "01_tanh_last.1",
        "02_linear_last.2",
    }


def test_a_network_that_left_evaluation_mode_again_is_measured_from_then_on(tmp_path, caplog):
    class Late(Net):
        def on_train_batch_start(self, batch, batch_idx):
            self.train(batch_idx >= 2)

    monitor = LayerMonitor(tmp_path)
    fit(Late(), monitor)
    assert read(tmp_path).histograms["activation/00_tanh_first.1"].steps.tolist() == [2, 3, 4, 5]
    assert monitor.diagnosis["not_measured"] == []


@pytest.mark.filterwarnings("ignore")  # those of jsonargparse and Lightning among themselves
def test_lightning_cli_takes_the_settings_as_init_args(tmp_path, monkeypatch):
    from lightning.pytorch.cli import LightningCLI

    monitor = {
        "class_path": "layerscope.LayerMonitor",
        "init_args": {
            "log_dir": str(tmp_path / "run"),
            "every_n_steps": 2,
            "layers": "last",
            "switched_off": ["biased"],
            "thresholds": {"lasting": 3},
        },
    }
    trainer = {
        "max_epochs": 1,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "callbacks": [monitor],
    }
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"trainer": trainer}))
    monkeypatch.setattr("sys.argv", ["train.py", "fit", "--config", str(config)])
    LightningCLI(Net, save_config_callback=None)
    run = read(tmp_path / "run")
    assert run.figures.steps.tolist() == [0, 1, 2, 3, 4]  # and the keyframes 1 and 3
    assert [layer.name for layer in run.figures.layers] == ["00_tanh", "01_linear"]


def test_what_is_not_a_summary_writer_says_so(tmp_path):
    with pytest.raises(AttributeError, match="EventLogger's experiment is an EventFile, which has"):
        EventLogger(tmp_path).experiment.add_scalar("mine", 1.0, 0)
