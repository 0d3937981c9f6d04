"""The same instrument in a loop of one's own, without Lightning."""

import threading

import pytest
import torch

import layerscope
from layerscope.events.reader import read_run
from tests.any_model.nets import Mlp, make, seeded
from tests.any_model.reference import FIGURES, assert_figures_are_those_of, run_plainly
from tests.any_model.training import EVERYTHING, figures, random_states, seed_all


def train(net, folder=None, after=None, **options):
    """As anybody's loop: zero_grad, forward, backward, step, and one line for the watcher."""
    seed_all()
    net.train()
    optimizer = net.configure_optimizers()
    if folder is None:
        for batch in net.batches():
            optimizer.zero_grad()
            net.loss(batch).backward()
            optimizer.step()
        return
    with layerscope.watch(net, folder, **options) as watcher:
        for at, batch in enumerate(net.batches()):
            optimizer.zero_grad()
            net.loss(batch).backward()
            optimizer.step()
            watcher.step()
            if after is not None:
                after(at, watcher)


@pytest.mark.parametrize("name", ["resnet", "gpt_tied", "lstm", "float64", "siamese", "fused"])
def test_a_plain_loop_is_measured_as_a_plain_loop_measures_itself(tmp_path, name):
    train(make(name), tmp_path)
    assert_figures_are_those_of(
        run_plainly(make(name)), figures(tmp_path), set(FIGURES) - {"weight_rms"}
    )


@pytest.mark.parametrize("name", ["resnet", "gpt", "lstm", "checkpointed"])
def test_watching_a_plain_loop_changes_no_bit_and_draws_no_random_number(tmp_path, name):
    left = []
    for folder in (None, tmp_path):
        net = make(name)
        train(net, folder, **({} if folder is None else {"quantities": EVERYTHING}))
        left.append((net, random_states()))
    (alone, states), (watched, states_watched) = left
    assert states == states_watched
    for key, weight in watched.state_dict().items():
        assert torch.equal(weight, alone.state_dict()[key]), key


def test_without_a_step_nothing_is_written_and_nothing_breaks(tmp_path):
    with layerscope.watch(seeded(Mlp), tmp_path):
        pass


def test_hooks_are_gone_and_files_whole_after_an_exception_in_the_loop(tmp_path):
    def stop(at, watcher):
        if at == 3:
            raise LookupError("the loop's own")

    net = seeded(Mlp)
    with pytest.raises(LookupError, match="the loop's own"):
        train(net, tmp_path, stop)
    assert not any(module._forward_hooks for module in net.modules())
    run = read_run(tmp_path)
    assert run.torn_bytes == 0
    assert run.histograms["activation/00_tanh"].steps.tolist() == [0, 1, 2, 3]


def test_evaluation_between_two_steps_is_not_measured(tmp_path):
    def evaluate(at, watcher):
        net.eval()
        with torch.no_grad():
            net.loss(net.batches(1)[0])
        net.train()

    net = seeded(Mlp)
    train(net, tmp_path, evaluate)
    assert set(figures(tmp_path)["activation_count"][:, 0]) == {48}


class Meeting(torch.nn.Module):
    """Lets the trainer take its steps while another thread is in the middle of the network."""

    def __init__(self, thread):
        super().__init__()
        self.thread = thread
        self.arrived, self.goes_on = threading.Event(), threading.Event()

    def forward(self, inputs):
        if threading.current_thread() is self.thread:
            self.arrived.set()
            assert self.goes_on.wait(30)
        return inputs


def test_a_validation_in_another_thread_takes_no_step_away_and_is_in_none(tmp_path):
    def validate():
        with torch.no_grad():
            net(torch.ones(64, 3))

    thread = threading.Thread(target=validate)
    meeting = Meeting(thread)
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), meeting, torch.nn.Linear(2, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with layerscope.watch(net, tmp_path) as watcher:
        for step in range(4):
            if step == 1:
                thread.start()
                assert meeting.arrived.wait(30)
            net(torch.ones(5, 3)).sum().backward()
            optimizer.step()
            watcher.step()
            if step == 2:
                meeting.goes_on.set()
                thread.join(30)
    assert figures(tmp_path)["activation_count"].tolist() == [[10.0, 10.0]] * 4


def test_it_writes_a_diagnosis_and_the_keyframes_too(tmp_path):
    train(seeded(Mlp), tmp_path)
    assert (tmp_path / "diagnosis.json").exists()
    keyframes = read_run(tmp_path / "keyframes").histograms["activation/00_tanh"]
    assert keyframes.steps.tolist() == [0, 1, 2, 3, 4, 5]  # the last step is one, always


def test_a_net_with_nothing_to_watch_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no module to watch"):
        layerscope.watch(torch.nn.Flatten(), tmp_path).__enter__()
