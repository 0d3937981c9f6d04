"""The instrument in a Hugging Face Trainer, on a small model built from a config."""

import math

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

import layerscope
from layerscope.sinks.figures_event import figures_of

pytest.importorskip("accelerate", reason="make frameworks-test installs it")
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from layerscope.integrations.huggingface import LayerScopeCallback


class Tokens(Dataset):
    def __init__(self, count=24):
        self.ids = torch.randint(16, (count, 8), generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, at):
        return {"input_ids": self.ids[at], "labels": self.ids[at]}


def gpt():
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=16, n_positions=8, n_embd=16, n_layer=2, n_head=2))


def train(folder, *callbacks, model=None, **arguments):
    arguments = {
        "max_steps": 4, "per_device_train_batch_size": 2, "report_to": [], "use_cpu": True,
        "disable_tqdm": True, "save_strategy": "no", "logging_steps": 1, "seed": 3,
    } | arguments  # fmt: skip
    trainer = Trainer(
        model=model or gpt(),
        args=TrainingArguments(output_dir=str(folder), **arguments),
        train_dataset=Tokens(),
        eval_dataset=Tokens(4),
        callbacks=list(callbacks),
    )
    trainer.train()
    return trainer


def figures(folder):
    return figures_of(layerscope.read(folder).events)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])  # the loss is then the Trainer's own
def test_each_step_of_the_optimizer_is_recorded_with_the_loss_that_the_trainer_logs(
    tmp_path, smoothing
):
    callback = LayerScopeCallback(images=False)
    trainer = train(
        tmp_path, callback, gradient_accumulation_steps=3, eval_strategy="steps", eval_steps=2,
        label_smoothing_factor=smoothing,
    )  # fmt: skip
    assert callback.watcher.failure is None
    made = figures(tmp_path / "layerscope")
    assert made.steps.tolist() == [0, 1, 2, 3]
    logged = [each["loss"] for each in trainer.state.log_history if "loss" in each]
    np.testing.assert_allclose(made["loss"], logged, rtol=1e-3)
    assert abs(made["loss"][0] - math.log(16)) < 0.5
    first = [facts.name for facts in made.layers].index("00_transformer.wte")
    assert made["activation_count"][:, first].tolist() == [3 * 2 * 8 * 16] * 4  # no evaluation
    assert (made["weight_grad_rms"][:, first] > 0).all()
    assert not trainer.model._forward_hooks
    assert (tmp_path / "layerscope" / "diagnosis.json").exists()


def test_the_weights_are_those_of_a_training_without_it_bit_for_bit(tmp_path):
    watched = train(tmp_path / "a", LayerScopeCallback(images=False)).model.state_dict()
    alone = train(tmp_path / "b").model.state_dict()
    assert all(torch.equal(watched[name], alone[name]) for name in alone)


def test_it_ends_the_training_where_it_is_asked_to(tmp_path):
    model = gpt()
    with torch.no_grad():
        model.transformer.wte.weight[:] = math.nan
    callback = LayerScopeCallback(tmp_path / "mine", stop_on="critical", images=False)
    assert train(tmp_path, callback, model=model).state.global_step < 4
    assert callback.findings[0].severity == "critical"


def test_a_training_that_goes_on_continues_its_record(tmp_path):
    saving = {"save_strategy": "steps", "save_steps": 2}
    train(tmp_path, LayerScopeCallback(images=False), max_steps=2, **saving)
    trainer = Trainer(
        model=gpt(),
        args=TrainingArguments(
            output_dir=str(tmp_path), max_steps=4, per_device_train_batch_size=2, report_to=[],
            use_cpu=True, disable_tqdm=True, save_strategy="no",
        ),
        train_dataset=Tokens(),
        callbacks=[LayerScopeCallback(images=False)],
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=True)
    assert figures(tmp_path / "layerscope").steps.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"every": 1}, "there is no setting 'every'"), ({"dead_window": 0}, "must be at least 1")],
)
def test_a_wrong_setting_is_refused_at_once(settings, told):
    with pytest.raises((TypeError, ValueError), match=told):
        LayerScopeCallback(**settings)
