"""Every block of docs/any_model.md runs, and gives what the comment at its end says."""

import ast
import dataclasses
import re
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from layerscope import EventLogger, LayerMonitor
from layerscope.diagnose import Thresholds
from layerscope.events.reader import read_run
from layerscope.session.settings import Settings

DOC = Path(__file__).parent.parent / "docs" / "any_model.md"
TEXT = DOC.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.body(x).tanh())

    def training_step(self, batch, batch_idx):
        return cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


class WithASpareLayer(Module):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(8, 8)


class Quiet(pl.Trainer):
    """A Trainer as everybody's, less what it prints and checkpoints."""

    def __init__(self, **options):
        super().__init__(
            accelerator="cpu",
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
            **options,
        )


class Loader:
    """Six batches."""

    def __init__(self):
        self.batches = [(torch.randn(5, 4), torch.randint(3, (5,))) for _ in range(6)]

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def names_of_a_reader():
    """What a reader of the doc has."""
    torch.manual_seed(0)
    model, loader = Module(), Loader()
    return {
        "EventLogger": EventLogger,
        "LayerMonitor": LayerMonitor,
        "LightningModule": pl.LightningModule,
        "Trainer": Quiet,
        "WithASpareLayer": WithASpareLayer,
        "batches": loader.batches,
        "cross_entropy": cross_entropy,
        "data": loader,
        "model": model,
        "module": Module(),
        "nn": nn,
        "optimizer": torch.optim.AdamW(model.parameters()),
    }


def run(block, names):
    """Execute a block; the value of its last line, if that is an expression, else None."""
    *statements, last = ast.parse(block).body
    if not isinstance(last, ast.Expr):
        statements.append(last)
    exec(compile(ast.Module(statements, []), str(DOC), "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), str(DOC), "eval"), names)
    return None


def title(block):
    return f"{BLOCKS.index(block)}_{block.split(chr(10))[0][:40]}"


DEFINITION = next(block for block in BLOCKS if block.startswith("class Net"))


@pytest.mark.parametrize("block", BLOCKS, ids=title)
def test_a_block_of_the_doc_runs_and_gives_what_it_says(tmp_path, monkeypatch, block, caplog):
    monkeypatch.chdir(tmp_path)
    names = names_of_a_reader()
    if "Net()" in block and block != DEFINITION:
        run(DEFINITION, names)
    result = run(block, names)
    said = re.search(r"^# (\[.*\])$", block, re.MULTILINE)
    assert said is None or result == ast.literal_eval(said.group(1))
    assert "stopped at step" not in caplog.text
    if "logs/mine" in block:
        assert read_run(tmp_path / "logs" / "mine").histograms["activation/00_body"].steps[0] == 0
        assert (tmp_path / "logs" / "mine" / "diagnosis.json").exists()


def test_both_ways_to_start_are_there():
    assert any("LayerMonitor()]" in block for block in BLOCKS[:2])
    assert any("layerscope.watch(" in block for block in BLOCKS[:2])


def test_every_setting_is_listed_with_its_default():
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", TEXT.split("## Settings")[1], re.MULTILINE)
    listed = dict(rows)
    assert list(listed) == [field.name for field in dataclasses.fields(Settings)]
    settings = Settings()
    for name, default in listed.items():
        value = getattr(settings, name)
        shown = {
            "quantities": ", ".join(settings.quantities),
            "thresholds": f"{Thresholds.__name__}()",
            "max_megabytes": f"{settings.max_megabytes:g}",
            "flush_seconds": f"{settings.flush_seconds:g}",
        }.get(name, str(value))
        assert default == shown, name


def test_the_outputs_of_the_docs_net_have_the_names_that_it_says(tmp_path):
    names = names_of_a_reader()
    run(DEFINITION, names)

    class Trained(names["Net"]):
        def training_step(self, batch, batch_idx):
            words = batch[1].clamp(max=2)[:, None]
            return self.head(self.rnn(self.blocks(self.embed(words)))[0]).square().mean()

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters())

    trainer = Quiet(callbacks=[LayerMonitor()], logger=EventLogger(tmp_path), max_epochs=1)
    trainer.fit(Trained(), Loader())
    tags = set(read_run(tmp_path).histograms)
    for entry in re.findall(r"`((?:03_rnn|weight_grad/03_rnn)\.[\w.]+)`", TEXT):
        assert (entry if "/" in entry else f"activation/{entry}") in tags
    assert "activation/01_tanh_blocks.1" in tags


def test_what_the_doc_points_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (DOC.parent / target).exists(), target
