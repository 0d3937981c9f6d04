import copy
import json
import math
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util
from torch import nn
from torch.nn.functional import cross_entropy

from layerscope import EventLogger, LayerMonitor
from layerscope.integrations.lightning.watched_fit import HOOKS_LEFT_OUT
from layerscope.quantity import SELECTABLE
from layerscope.record import is_keyframe

SIZE_GUIDANCE = {"tensors": 0, "scalars": 0}


class Module(pl.LightningModule):
    def __init__(self, fail_at=None):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Embedding(7, 3), nn.Flatten(), nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 7)
        )
        self.fail_at = fail_at
        self.hooks_seen = {}

    def count_hooks(self):
        return sum(len(m._forward_hooks) for m in self.net.modules())

    def training_step(self, batch, batch_idx):
        self.hooks_seen.setdefault("training", self.count_hooks())
        if self.fail_at == self.global_step:
            raise RuntimeError("planted")
        loss = cross_entropy(self.net(batch[0]), batch[1])
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        where = "sanity" if self.trainer.sanity_checking else "validation"
        self.hooks_seen.setdefault(where, self.count_hooks())
        self.log("val/loss", cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.01)


class Batches:
    def __init__(self, count=10, size=4):
        generator = torch.Generator().manual_seed(1)
        self.batches = [
            (
                torch.randint(7, (size, 2), generator=generator),
                torch.randint(7, (size,), generator=generator),
            )
            for _ in range(count)
        ]

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def fit(folder, *callbacks, module=None, validate=False, **options):
    module = module or Module()
    settings = {
        "max_epochs": 2,
        "limit_val_batches": 2 if validate else 0,
        "accelerator": "cpu",
        "logger": EventLogger(folder),
        "log_every_n_steps": 1,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = pl.Trainer(callbacks=list(callbacks), **settings | options)
    trainer.fit(module, Batches(), Batches(2))
    return module


def accumulated(folder):
    events = EventAccumulator(str(folder), size_guidance=SIZE_GUIDANCE)
    events.Reload()
    return events


def steps(events, tag):
    return [event.step for event in events.Tensors(tag)]


def test_tensorboard_reads_every_tag_at_every_step(tmp_path):
    fit(tmp_path, LayerMonitor(scalars_every_n_steps=1))
    events = accumulated(tmp_path)
    layers = ("00_embedding", "01_tanh", "02_linear")
    every = {
        f"{quantity}/{layer}"
        for layer in layers
        for quantity in (
            *("activation", "activation_grad", "activation_grad_log10"),
            *("weight_grad", "weight_grad_log10"),
        )
    }
    keyframed = {f"weight/{layer}" for layer in layers}
    for_programs = {f"layerscope/{name}" for name in ("layers", "layer_figures", "step_figures")}
    assert set(events.Tags()["tensors"]) == every | keyframed | for_programs | {
        "findings",
        "custom_scalars__config__",
    }
    for tag in every:
        assert steps(events, tag) == list(range(20)), tag
    for tag in keyframed:
        assert steps(events, tag) == [0, 1, 2, 3, 4, 6, 8, 11, 16], tag
    scalars = {
        *(f"{name}/{layer}" for layer in layers for name in ("activation_mean", "activation_std")),
        *(
            f"{name}_rms{log}/{layer}"
            for layer in layers
            for name in ("activation_grad", "weight_grad")
            for log in ("", "_log10")
        ),
        *("saturated_share/01_tanh", "dead_share/01_tanh"),
    }
    now_and_then = {f"update_to_weight_log10/{layer}" for layer in layers} | {
        *("monitor/ms_per_step", "monitor/share_of_step", "logit_z")
    }
    assert set(events.Tags()["scalars"]) == scalars | now_and_then | {"train/loss", "epoch"}
    for tag in scalars | {"train/loss"}:
        assert [event.step for event in events.Scalars(tag)] == list(range(20)), tag


def test_the_keyframes_run_repeats_the_log_spaced_steps(tmp_path):
    fit(tmp_path, LayerMonitor())
    events = accumulated(tmp_path / "keyframes")
    for tag in ("activation/01_tanh", "weight/01_tanh", "activation_grad_log10/01_tanh"):
        assert steps(events, tag) == [0, 1, 2, 3, 4, 6, 8, 11, 16, 19]  # and the last


def test_a_run_has_one_event_file_beside_the_keyframes(tmp_path):
    fit(tmp_path, LayerMonitor())
    assert len(list(tmp_path.glob("events.*"))) == 1
    assert len(list(tmp_path.glob("keyframes/events.*"))) == 1


def test_it_writes_beside_another_logger_too(tmp_path):
    logger = TensorBoardLogger(tmp_path, name="", version="")
    fit(tmp_path, LayerMonitor(), logger=logger)
    events = accumulated(tmp_path)
    assert steps(events, "activation/01_tanh") == list(range(20))


def test_without_a_logger_it_writes_into_the_default_root(tmp_path):
    fit(tmp_path, LayerMonitor(), logger=False, default_root_dir=tmp_path)
    assert steps(accumulated(tmp_path), "activation/01_tanh") == list(range(20))


def test_every_n_steps_thins_all_but_the_keyframes(tmp_path):
    fit(tmp_path, LayerMonitor(every_n_steps=7))
    assert steps(accumulated(tmp_path), "activation/01_tanh") == [
        *[0, 1, 2, 3, 4, 6, 7, 8, 11, 14, 16]
    ]


def test_a_schedule_is_any_function_of_the_step(tmp_path):
    fit(tmp_path, LayerMonitor(schedule=lambda step: step in (5, 13)))
    assert steps(accumulated(tmp_path), "activation/01_tanh") == [
        *[0, 1, 2, 3, 4, 5, 6, 8, 11, 13, 16]
    ]


@pytest.mark.slow
def test_a_run_too_long_for_its_budget_is_thinned_and_says_so(tmp_path, caplog):
    monitor = LayerMonitor(max_megabytes=1, every_n_steps=2)
    fit(tmp_path, monitor, max_epochs=150)
    events = accumulated(tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("events.*")) < 1.1e6
    kept = steps(events, "activation/01_tanh")
    gaps = np.diff([step for step in kept if step % 2 == 0 and not is_keyframe(step)])
    assert kept[0] == 0
    assert 50 < len(kept) < 300
    assert gaps[:10].mean() < 4 < gaps[-10:].mean()
    (message,) = (r.message for r in caplog.records if "LayerMonitor" in r.message)
    assert "max_megabytes=1" in message
    description = events.SummaryMetadata("activation/01_tanh").summary_description
    assert "From step" in description
    assert "max_megabytes=1" in description


def test_a_sample_says_that_it_is_one(tmp_path):
    fit(tmp_path, LayerMonitor(max_elements=10))
    events = accumulated(tmp_path)
    description = events.SummaryMetadata("activation/01_tanh").summary_description
    assert "Of a tensor with more than 10 elements this is a random sample." in description
    assert _buckets(events, "activation/01_tanh", 3)[:, 2].sum() == 4 * 8


def test_a_run_within_its_budget_says_nothing(tmp_path, caplog):
    fit(tmp_path, LayerMonitor())
    assert not any("LayerMonitor" in record.message for record in caplog.records)
    description = accumulated(tmp_path).SummaryMetadata("activation/01_tanh").summary_description
    assert "max_megabytes" not in description


def test_an_output_that_is_no_tensor_of_floats_is_listed(tmp_path):
    class Argmax(nn.Linear):
        def forward(self, x):
            return super().forward(x).argmax(-1)

    module = Module()
    module.side = Argmax(8, 3)
    forward = module.net.forward

    def forward_both(x):
        module.side(module.net[:4](x).detach())
        return forward(x)

    module.net.forward = forward_both
    monitor = LayerMonitor()
    fit(tmp_path, monitor, module=module)
    (missing,) = monitor.diagnosis["not_measured"]
    assert missing["layer"].endswith("side")
    assert missing["reason"] == "its output, torch.int64, holds no tensor of floats"


def test_quantities_choose_what_is_recorded_at_every_step(tmp_path):
    fit(tmp_path, LayerMonitor(quantities=["activation", "weight"]))
    events = accumulated(tmp_path)
    shown = {tag.split("/")[0] for tag in events.Tags()["tensors"]}
    assert shown == {
        *("activation", "weight", "layerscope", "findings", "custom_scalars__config__")
    }
    assert steps(events, "weight/01_tanh") == list(range(20))


def test_micro_batches_make_one_record_of_their_optimizer_step(tmp_path):
    fit(tmp_path, LayerMonitor(), accumulate_grad_batches=5, max_epochs=1)
    events = accumulated(tmp_path)
    tag = "activation/01_tanh"
    assert steps(events, tag) == [0, 1]
    assert _buckets(events, tag, 0)[:, 2].sum() == 5 * 4 * 8


def _buckets(events, tag, index):
    return tensor_util.make_ndarray(events.Tensors(tag)[index].tensor_proto)


def test_watching_changes_no_weight_bit_for_bit(tmp_path):
    monitor = LayerMonitor(quantities=SELECTABLE, biases=True)
    watched = fit(tmp_path / "watched", monitor, validate=True)
    alone = fit(tmp_path / "alone", validate=True)
    for name, weight in watched.state_dict().items():
        assert torch.equal(weight, alone.state_dict()[name]), name


def test_hooks_are_on_in_training_alone_and_gone_after_fit(tmp_path):
    module = fit(tmp_path, LayerMonitor(), validate=True, num_sanity_val_steps=1)
    assert module.hooks_seen.pop("training") >= 3  # a layer each, and those of the first look
    assert module.hooks_seen == {"sanity": 0, "validation": 0}
    assert module.count_hooks() == 0


def test_validation_is_not_measured(tmp_path):
    fit(tmp_path, LayerMonitor(), validate=True, val_check_interval=5)
    events = accumulated(tmp_path)
    assert steps(events, "activation/01_tanh") == list(range(20))
    assert {int(_buckets(events, "activation/01_tanh", i)[:, 2].sum()) for i in range(20)} == {
        4 * 8
    }


def test_hooks_are_gone_and_files_are_whole_after_an_exception(tmp_path):
    module = Module(fail_at=7)
    with pytest.raises(RuntimeError, match="planted"):
        fit(tmp_path, LayerMonitor(), module=module)
    assert module.count_hooks() == 0
    assert steps(accumulated(tmp_path), "activation/01_tanh") == list(range(7))
    assert json.loads((tmp_path / "diagnosis.json").read_text())["steps"][-1]["step"] == 6


def test_a_second_fit_goes_on_with_new_hooks(tmp_path):
    monitor, module = LayerMonitor(), Module()
    for part in ("one", "two"):
        fit(tmp_path / part, monitor, module=module)
        assert steps(accumulated(tmp_path / part), "activation/01_tanh") == list(range(20))


def test_diagnosis_has_the_figures_of_the_first_and_the_last_step(tmp_path):
    monitor = LayerMonitor()
    fit(tmp_path, monitor)
    diagnosis = json.loads((tmp_path / "diagnosis.json").read_text())
    assert diagnosis == monitor.diagnosis
    assert diagnosis["schema"] == 3
    assert [step["step"] for step in diagnosis["steps"]] == [0, 19]

    module, (contexts, targets) = Module(), Batches().batches[0]
    output = module.net[:4](contexts)
    output.retain_grad()
    logits = module.net[4](output)
    loss = cross_entropy(logits, targets)
    loss.backward()
    first = diagnosis["steps"][0]
    assert first["loss"] == pytest.approx(loss.item(), rel=1e-6)
    (tanh,) = (entry for entry in first["layers"] if entry["layer"] == "01_tanh")
    near = {"rel": 1e-5, "abs": 1e-8}
    assert tanh["activation"] == {
        "mean": pytest.approx(output.mean().item(), **near),
        "std": pytest.approx(output.std().item(), **near),
        "saturated": pytest.approx((output.abs() > 0.97).float().mean().item()),
        "zeros": 0.0,
        "min": pytest.approx(output.min().item()),
        "max": pytest.approx(output.max().item()),
        "nonfinite": 0,
    }
    gradient, weight = module.net[2].weight.grad, module.net[2].weight
    assert tanh["activation_grad"]["rms"] == pytest.approx(
        output.grad.square().mean().sqrt().item()
    )
    assert tanh["weight_grad"]["mean_abs"] == pytest.approx(gradient.abs().mean().item())
    assert tanh["weight_grad"]["rms"] == pytest.approx(gradient.square().mean().sqrt().item())
    assert tanh["weight"]["std"] == pytest.approx(weight.std().item())


def test_the_last_step_of_the_diagnosis_has_its_weights_too(tmp_path):
    fit(tmp_path, LayerMonitor(), max_epochs=1)  # step 9 is no keyframe
    last = json.loads((tmp_path / "diagnosis.json").read_text())["steps"][-1]
    assert last["step"] == 9
    assert all("weight" in entry for entry in last["layers"])


def test_a_loss_that_is_not_finite_leaves_valid_json(tmp_path):
    class Diverging(Module):
        def training_step(self, batch, batch_idx):
            return super().training_step(batch, batch_idx) * math.nan

    fit(tmp_path, LayerMonitor(), module=Diverging())
    text = Path(tmp_path / "diagnosis.json").read_text()
    diagnosis = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert diagnosis["steps"][0]["loss"] is None
    (tanh,) = (e for e in diagnosis["steps"][-1]["layers"] if e["layer"] == "01_tanh")
    assert tanh["activation"]["nonfinite"] == 4 * 8
    told = [(each["rule"], each["because"]) for each in diagnosis["findings"]]
    assert told == [("loss_not_finite", ""), ("not_finite", "loss_not_finite")]


@pytest.mark.parametrize(
    "place",
    [
        "layerscope.record.recorder.Recorder.attach",
        "layerscope.measure.tally.Tally.measure",
        "layerscope.measure.held.HeldTensors.hold",
        "layerscope.measure.tally.Tally.add_all",
        "layerscope.measure.tally.Tally.read",
        "layerscope.sinks.tensorboard.TensorBoardSink.write",
        "layerscope.sinks.tensorboard.TensorBoardSink.close",
        "layerscope.session.run_output.write_diagnosis",
    ],
)
def test_a_failure_inside_never_stops_training(tmp_path, monkeypatch, caplog, place):
    def fail(*arguments, **options):
        raise OSError("No space left on device")

    alone = fit(tmp_path / "alone")
    monkeypatch.setattr(place, fail)
    monitor = LayerMonitor()
    watched = fit(tmp_path / "watched", monitor)
    for name, weight in watched.state_dict().items():
        assert torch.equal(weight, alone.state_dict()[name]), name
    assert watched.count_hooks() == 0
    assert monitor.failure.startswith("monitoring stopped at step ")
    assert monitor.failure.endswith(": OSError: No space left on device")
    told = [record for record in caplog.records if "LayerMonitor" in record.message]
    assert len(told) == 1


def test_a_failure_in_an_optimizer_s_hook_does_not_stop_torch_in_those_of_others(
    tmp_path, monkeypatch
):
    def fail(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr("layerscope.session.announced_steps.AnnouncedSteps.after_update", fail)
    monitors = LayerMonitor(tmp_path / "one"), LayerMonitor(tmp_path / "two")
    fit(tmp_path, *monitors)
    assert all(each.failure.startswith("monitoring stopped at step 0") for each in monitors)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"every_n_steps": 0}, "^every_n_steps must be at least 1, got 0"),
        ({"scalars_every_n_steps": -1}, "^scalars_every_n_steps must be at least 1, got -1"),
        ({"max_elements": 0}, "max_elements must be at least 1, got 0"),
        ({"max_megabytes": 0.5}, r"max_megabytes must be at least 1, got 0\.5"),
        ({"quantities": ["loss"]}, "quantities must be among .*, got 'loss'"),
        ({"saturation_threshold": 2}, "saturation_threshold must be above 0 and below 1, got 2"),
        ({"flush_seconds": -1}, "flush_seconds must be"),
    ],
)
def test_bad_arguments_are_refused_at_construction(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        LayerMonitor(**arguments)


def test_a_module_with_nothing_to_watch_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match="has no module to watch that layers='nowhere' chooses"):
        fit(tmp_path, LayerMonitor(layers="nowhere"))


def test_hooks_that_do_nothing_are_left_out_while_it_fits_but_not_a_subclass_s_own(tmp_path):
    class WithItsOwn(LayerMonitor):
        called = 0

        def on_after_backward(self, trainer, pl_module):
            super().on_after_backward(trainer, pl_module)
            self.called += 1
            self.left_out = self.on_before_zero_grad is None

    monitor = WithItsOwn(log_dir=tmp_path)
    fit(tmp_path / "logger", monitor, limit_train_batches=2, max_epochs=1, logger=False)
    assert monitor.failure is None
    assert (monitor.called, monitor.left_out) == (2, True)
    assert callable(monitor.on_before_zero_grad)


class Copies(pl.Callback):
    def on_train_batch_end(self, trainer, module, *batch):
        self.copied = copy.deepcopy(trainer.callbacks[0])


def test_a_monitor_copied_in_the_middle_of_a_fit_is_a_whole_callback(tmp_path):
    monitor, copies = LayerMonitor(tmp_path), Copies()
    fit(tmp_path, monitor, copies, max_steps=2)
    assert all(callable(getattr(copies.copied, name)) for name in HOOKS_LEFT_OUT)
    assert copies.copied.settings == monitor.settings
