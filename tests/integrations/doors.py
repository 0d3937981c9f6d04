"""The same seeded training through either door."""

import lightning.pytorch as pl
import torch

import layerscope
from layerscope import EventLogger, LayerMonitor
from tests.diagnose import healthy, planted


class Program:
    """A network with its batches, loss, optimizer and what is planted in the middle."""

    def __init__(self, network, batches, loss_of, optimizer, *, scheduler=None, tamper=None):
        self.network, self.loss_of, self.optimizer = network, loss_of, optimizer
        self.batches = list(batches)
        self.scheduler = scheduler
        self.tamper = tamper or (lambda step, network, when: None)


def program_of(make, monkeypatch):
    """What a function that calls `measured.train` would train, made anew and untrained."""
    programs = []

    def keep(*parts, **options):
        programs.append(Program(*parts, **options))

    monkeypatch.setattr(planted, "train", keep)
    monkeypatch.setattr(healthy, "train", keep)
    torch.manual_seed(0)
    make()
    (program,) = programs
    return program


class Module(pl.LightningModule):
    def __init__(self, program):
        super().__init__()
        self.net = program.network
        self.program = program

    def on_train_batch_start(self, batch, batch_idx):
        self.program.tamper(batch_idx, self.net, "before")

    def training_step(self, batch, batch_idx):
        return self.program.loss_of(self.net, batch)

    def on_after_backward(self):
        self.program.tamper(self.global_step, self.net, "gradients")

    def configure_optimizers(self):
        if self.program.scheduler is None:
            return self.program.optimizer
        return [self.program.optimizer], [{"scheduler": self.program.scheduler, "interval": "step"}]


class Loader:
    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def through_lightning(program, folder, **settings):
    monitor = LayerMonitor(**settings)
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=EventLogger(folder),
        callbacks=[monitor],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    torch.manual_seed(3)
    trainer.fit(Module(program), Loader(program.batches))
    assert monitor.failure is None
    return monitor.diagnosis


def through_watch(program, folder, **settings):
    """The loop that Lightning runs, by hand: the network is a module's child there too."""
    module = Module(program)
    torch.manual_seed(3)
    with layerscope.watch(module, folder, **settings) as watcher:
        for step, batch in enumerate(program.batches):
            program.tamper(step, program.network, "before")
            loss = program.loss_of(program.network, batch)
            program.optimizer.zero_grad()
            loss.backward()
            program.tamper(step, program.network, "gradients")
            program.optimizer.step()
            if program.scheduler is not None:
                program.scheduler.step()
            watcher.step(loss)
    assert watcher.failure is None
    return watcher.diagnosis
