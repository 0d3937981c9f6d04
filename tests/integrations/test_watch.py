"""What a plain loop may do that Lightning would not."""

import contextlib
import copy
import gc
import json
import logging
import math
import pickle
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

import layerscope
from layerscope.events.reader import read_run
from layerscope.sinks.figures_event import figures_of
from tests.usual_step import descend


def make_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def batches(count=6):
    draw = torch.Generator().manual_seed(1)
    for _ in range(count):
        yield torch.randn(5, 6, generator=draw), torch.randint(3, (5,), generator=draw)


def figures(folder):
    return figures_of(read_run(folder))


def loop(watcher, net, steps, loss_of=lambda loss: loss):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for x, y in batches(steps):
        optimizer.zero_grad()
        loss = cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        watcher.step(loss_of(loss))


def run(folder, net=None, loss_of=lambda loss: loss, **settings):
    net = net or make_net()
    with layerscope.watch(net, folder, **settings) as watcher:
        loop(watcher, net, 6, loss_of)
    assert watcher.failure is None
    return watcher


@pytest.mark.parametrize("loss_of", [lambda loss: loss, lambda loss: loss.item()])
def test_a_loss_may_be_a_tensor_or_a_number(tmp_path, loss_of):
    run(tmp_path / "a", loss_of=loss_of)
    run(tmp_path / "b")
    np.testing.assert_array_equal(figures(tmp_path / "a")["loss"], figures(tmp_path / "b")["loss"])


def test_without_a_loss_the_loss_is_unknown_and_nobody_calls_it_sick(tmp_path):
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with layerscope.watch(net, tmp_path) as watcher:
        for x, _ in batches():
            optimizer.zero_grad()
            outputs = net(x)
            outputs.backward(torch.full_like(outputs, 1 / outputs.numel()))
            optimizer.step()
            watcher.step()
    assert np.isnan(figures(tmp_path)["loss"]).all()
    assert watcher.findings == []


def test_a_loss_that_is_nan_is_a_finding(tmp_path):
    watcher = run(tmp_path, loss_of=lambda loss: loss * math.nan)
    assert np.isinf(figures(tmp_path)["loss"]).all()
    assert watcher.findings[0].rule == "loss_not_finite"


def test_histograms_of_updates_are_written_in_the_steps_that_measure_them(tmp_path):
    quantities = ["activation", "weight_grad", "update"]
    run(tmp_path, quantities=quantities, updates_every_n_steps=5)
    histograms = read_run(tmp_path).histograms
    assert histograms["update/00_tanh"].steps.tolist() == [0, 1, 2, 3, 4, 5]  # keyframes too
    assert histograms["weight_grad/00_tanh"].steps.tolist() == list(range(6))


def test_updates_between_keyframes_are_not_there_and_disturb_nothing(tmp_path):
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    quantities = ["activation", "update"]
    with layerscope.watch(net, tmp_path, quantities=quantities, flush_seconds=0) as watcher:
        for x, y in batches(30):
            optimizer.zero_grad()
            cross_entropy(net(x), y).backward()
            optimizer.step()
            watcher.step()
    assert watcher.failure is None
    steps = read_run(tmp_path).histograms["update/00_tanh"].steps.tolist()
    assert steps == [0, 1, 2, 3, 4, 6, 8, 10, 11, 16, 20, 23]


def test_a_gradient_scaler_s_factor_is_taken_out_and_what_it_skips_is_no_disease(tmp_path):
    def train(folder, scaler, spoil_at=None):
        net = make_net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        with layerscope.watch(net, folder, scaler=scaler) as watcher:
            for i, (x, y) in enumerate(batches()):
                optimizer.zero_grad()
                loss = cross_entropy(net(x), y)
                if scaler is None:
                    loss.backward()
                    optimizer.step()
                else:
                    scaler.scale(loss).backward()
                    if i == spoil_at:
                        net[0].weight.grad[0, 0] = math.inf
                    scaler.step(optimizer)
                    scaler.update()
                watcher.step(loss)
        assert watcher.failure is None
        return watcher

    train(tmp_path / "plain", None)
    train(tmp_path / "scaled", torch.amp.GradScaler("cpu", init_scale=1024.0))
    plain, scaled = figures(tmp_path / "plain"), figures(tmp_path / "scaled")
    for figure in ("activation_grad_rms", "weight_grad_rms", "loss"):
        np.testing.assert_allclose(scaled[figure], plain[figure], rtol=1e-5)
    spoilt = train(tmp_path / "spoilt", torch.amp.GradScaler("cpu", init_scale=8.0), spoil_at=3)
    assert figures(tmp_path / "spoilt")["skipped"].tolist() == [0, 0, 0, 1, 0, 0]
    assert spoilt.findings == []


def test_a_gradient_scaler_that_nobody_tells_of_is_found(tmp_path):
    def train(folder, told):
        net, scaler = make_net(), torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        with layerscope.watch(net, folder, scaler=scaler if told else None) as watcher:
            for i, (x, y) in enumerate(batches()):
                optimizer.zero_grad()
                loss = cross_entropy(net(x), y)
                scaler.scale(loss).backward()
                if i == 3:
                    net[0].weight.grad[0, 0] = math.inf
                scaler.step(optimizer)
                scaler.update()
                watcher.step(loss)
        assert watcher.failure is None

    train(tmp_path / "told", True)
    train(tmp_path / "found", False)
    told, found = figures(tmp_path / "told"), figures(tmp_path / "found")
    assert found["skipped"].tolist() == [0, 0, 0, 1, 0, 0]
    for figure in ("activation_grad_rms", "weight_grad_rms", "loss", "loss_reduction"):
        np.testing.assert_array_equal(found[figure], told[figure])


@pytest.mark.parametrize("keeps_loss", [True, False])
def test_the_loss_of_a_loop_that_tells_none_is_what_backward_starts_from(tmp_path, keeps_loss):
    def train(folder, tells):
        net = make_net()
        optimizer, kept = torch.optim.SGD(net.parameters(), lr=0.1), None
        with layerscope.watch(net, folder) as watcher:
            for x, y in batches():
                optimizer.zero_grad()
                for part in (slice(0, 4), slice(4, None)):
                    loss = cross_entropy(net(x[part]), y[part]) / 2
                    loss.backward()
                    kept = loss if keeps_loss else None
                    told = loss.detach()
                    del loss
                    if tells:
                        watcher.note_loss(2 * told)
                optimizer.step()
                watcher.step()
        assert watcher.failure is None
        del kept

    train(tmp_path / "told", True)
    train(tmp_path / "found", False)
    told, found = figures(tmp_path / "told"), figures(tmp_path / "found")
    np.testing.assert_allclose(found["loss"], told["loss"], rtol=1e-6)
    kinds = found["loss_kind"][~np.isnan(found["loss_kind"])]
    assert set(kinds.tolist()) == {1.0}


def test_a_loop_that_tells_its_loss_has_no_hook_for_it_after_the_first_step(tmp_path):
    net, called = make_net(), []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with layerscope.watch(net, tmp_path) as watcher:
        handles = list(watcher._steps._handles)
        for x, y in batches():
            optimizer.zero_grad()
            loss = cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            watcher.step(loss)
            called.append(len(watcher._steps._handles))
    assert handles
    assert called == [0] * 6


def test_an_optimizer_that_is_given_a_closure_begins_a_training_as_another_does(tmp_path):
    net = make_net()
    torch.nn.init.normal_(net[-1].weight, std=300.0)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
    with layerscope.watch(net, tmp_path) as watcher:
        for x, y in batches():

            def closure(x=x, y=y):
                optimizer.zero_grad()
                loss = cross_entropy(net(x), y)
                loss.backward()
                return loss

            watcher.step(optimizer.step(closure))
    assert "overconfident_start" in {finding.rule for finding in watcher.findings}


def test_fake_tensors_in_the_middle_are_passed_over(tmp_path):
    net = make_net()
    with layerscope.watch(net, tmp_path) as watcher:
        for x, y in batches():
            with FakeTensorMode(allow_non_fake_inputs=True) as mode:
                net(mode.from_tensor(x))
            cross_entropy(net(x), y).backward()
            watcher.step()
    assert watcher.failure is None
    assert figures(tmp_path)["activation_count"][:, 0].tolist() == [40.0] * 6


def test_a_forgotten_scope_step_is_told(tmp_path, caplog):
    net = make_net()
    with caplog.at_level(logging.WARNING), layerscope.watch(net, tmp_path):
        for x, y in batches():
            cross_entropy(net(x), y).backward()
    assert "no step was recorded" in caplog.text


class Attends(nn.Module):
    """Of what the instrument looks at by itself: attention, functions, dropouts, statistics."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(6, 8), nn.BatchNorm1d(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x):
        h = nn.functional.dropout(torch.relu(self.norm(self.first(x))), 0.1, self.training)
        return self.last(self.attention(h[:, None], h[:, None], h[:, None])[0][:, 0])


def test_a_closed_watch_lets_go_of_the_network_without_the_garbage_collector(tmp_path):
    """Or the next training of the process finds the memory of a device taken."""
    net = Attends()
    gc.collect()
    gc.disable()
    try:
        with layerscope.watch(net, tmp_path) as watcher:
            loop(watcher, net, 20)
        gone = [weakref.ref(each) for each in (net, watcher, net.first.weight)]
        del net, watcher
        assert [each() for each in gone] == [None, None, None]
    finally:
        gc.enable()


def test_a_network_that_was_not_called_is_told_but_not_behind_an_error(tmp_path, caplog):
    with caplog.at_level(logging.WARNING), layerscope.watch(make_net(), tmp_path / "another"):
        pass  # another network trains here
    assert caplog.messages == ["watch: nothing was recorded: no layer was called"]
    caplog.clear()
    with pytest.raises(ZeroDivisionError), layerscope.watch(make_net(), tmp_path / "error"):
        1 / 0  # noqa: B018
    assert not caplog.messages


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's
def test_a_compiled_net_may_be_given_itself(tmp_path):
    net = make_net()
    compiled = torch.compile(net, backend="eager")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with layerscope.watch(compiled, tmp_path) as watcher:
        for x, y in batches():
            optimizer.zero_grad()
            cross_entropy(compiled(x), y).backward()
            optimizer.step()
            watcher.step()
    assert watcher.failure is None
    listed = {entry["layer"] for entry in watcher.diagnosis["not_measured"]}
    measured = ~np.isnan(figures(tmp_path)["activation_mean"]).all(0)
    names = [facts.name for facts in figures(tmp_path).layers]
    assert {n for n, there in zip(names, measured, strict=True) if not there} == listed


def test_weights_changed_by_hand_are_measured_too(tmp_path):
    net = make_net()
    with layerscope.watch(net, tmp_path) as watcher:
        for x, y in batches():
            net.zero_grad()
            cross_entropy(net(x), y).backward()
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter -= 0.1 * parameter.grad
            watcher.step()
    assert watcher.failure is None
    by_hand = figures(tmp_path)
    run(tmp_path / "sgd")
    with_sgd = figures(tmp_path / "sgd")
    for figure in ("weight_grad_rms", "update_to_weight"):
        np.testing.assert_allclose(by_hand[figure], with_sgd[figure], rtol=1e-5)


def test_several_monitors_go_side_by_side_in_a_checkpoint():
    one, other = layerscope.LayerMonitor("a"), layerscope.LayerMonitor("b", layers="x")
    assert one.state_key != other.state_key


def test_diagnosis_json_is_written_though_the_loop_breaks(tmp_path):
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def interrupted():
        with layerscope.watch(net, tmp_path) as watcher:
            for i, (x, y) in enumerate(batches()):
                optimizer.zero_grad()
                cross_entropy(net(x), y).backward()
                if i == 3:
                    raise KeyboardInterrupt
                optimizer.step()
                watcher.step()

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    steps = json.loads((tmp_path / "diagnosis.json").read_text())["steps"]
    assert [(step["step"], step.get("incomplete", False)) for step in steps] == [
        (0, False),
        (3, True),
    ]
    assert sum(len(module._forward_hooks) for module in net.modules()) == 0


def test_opened_by_hand_it_records_what_a_with_block_does(tmp_path):
    net = make_net()
    watcher = layerscope.watch(net, tmp_path / "by_hand")
    assert (watcher.findings, watcher.diagnosis, watcher.refused) == ([], None, None)
    assert not (tmp_path / "by_hand").exists()
    assert watcher.start() is watcher.start() is watcher
    loop(watcher, net, 6)
    watcher.close()
    watcher.close()
    assert watcher.diagnosis == run(tmp_path / "with").diagnosis
    assert sum(len(module._forward_hooks) for module in net.modules()) == 0


def test_entered_by_hand_it_lives_as_long_as_its_name(tmp_path):
    net = make_net()
    watcher = layerscope.watch(net, tmp_path).__enter__()
    loop(watcher, net, 4)
    assert layerscope.read(tmp_path).figures.steps.tolist() == [0, 1, 2, 3]
    watcher.close()


def test_a_step_before_the_start_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match=r"step\(\) needs start\(\) before it"):
        layerscope.watch(make_net(), tmp_path).step()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"model": [nn.Linear(1, 1)]}, "model must be a torch.nn.Module, got a list"),
        ({"model": None}, "model must be a torch.nn.Module, got None"),
        ({"model": nn.Linear}, "model must be a torch.nn.Module, got the class Linear"),
        ({"start": -1}, "start must be a whole number from 0 to 9223372036854775807, got -1"),
        ({"start": math.nan}, "start must be a whole number from 0 to .*, got nan"),
        ({"start": True}, "start must be a whole number from 0 to .*, got True"),
        ({"scaler": "s"}, "scaler must be a torch.amp.GradScaler, got 's'"),
        ({"log_dir": "a\0b"}, r"log_dir must be the path of a folder, got 'a\\x00b'"),
    ],
)
def test_a_wrong_argument_is_one_sentence_before_the_first_step(tmp_path, given, sentence):
    arguments = {"model": make_net(), "log_dir": tmp_path / "run"} | given
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        layerscope.watch(**arguments)


def test_a_watcher_that_was_closed_does_not_pretend_to_watch_again(tmp_path):
    watcher = layerscope.watch(make_net(), tmp_path, summary=False, start=np.int64(2))
    with watcher:
        assert watcher.start() is watcher
    with pytest.raises(RuntimeError, match=r"^watch: it was closed; a new one is needed"), watcher:
        pass


def test_a_cell_that_runs_twice_closes_what_it_opened_first(tmp_path, caplog):
    net = make_net()
    first = layerscope.watch(net, tmp_path).start()
    hooks = [len(module._forward_hooks) for module in net.modules()]
    loop(first, net, 3)
    second = layerscope.watch(net, tmp_path).start()
    assert "watch: the earlier watch of" in caplog.text
    assert first.diagnosis is not None
    assert [len(module._forward_hooks) for module in net.modules()] == hooks
    loop(second, net, 3)
    second.close()


def test_a_cell_that_ran_to_its_end_and_runs_again_gets_a_folder_of_its_own(tmp_path, caplog):
    run(tmp_path / "run")
    assert caplog.text == ""
    run(tmp_path / "run", quantities=["activation"])
    told = f"watch: {tmp_path}/run holds an earlier run; this one is written to {tmp_path}/run_2"
    assert told in caplog.text
    for folder, tags in (("run", 3), ("run_2", 1)):
        assert figures(tmp_path / folder).steps.tolist() == list(range(6))
        quantities = {tag.split("/")[0] for tag in read_run(tmp_path / folder).histograms}
        assert len(quantities & {"activation", "activation_grad", "weight_grad"}) == tags


def test_two_networks_that_are_watched_in_one_folder_are_both_whole(tmp_path):
    one, other = make_net(), make_net()
    first, second = (
        layerscope.watch(net, folder).start()
        for net, folder in ((one, tmp_path / "run"), (other, f"{tmp_path}/run/"))
    )
    for x, y in batches():
        for net, watcher in ((one, first), (other, second)):
            cross_entropy(net(x), y).backward()
            watcher.step()
    first.close()
    second.close()
    for folder in ("run", "run_2"):
        assert figures(tmp_path / folder).steps.tolist() == list(range(6))


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_first_step(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"log_dir must be a folder, got .*file/run"):
        layerscope.watch(make_net(), tmp_path / "file" / "run").start()


@pytest.mark.slow
def test_what_was_never_closed_is_whole_when_the_interpreter_exits(tmp_path):
    code = """
import torch, layerscope
from tests.integrations.test_watch import loop, make_net
net = make_net()
watcher = layerscope.watch(net, "run").start()
loop(watcher, net, 60)
"""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r})\n{code}"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert layerscope.read(tmp_path / "run").figures.steps.tolist() == list(range(60))
    assert (tmp_path / "run" / "diagnosis.json").exists()


@pytest.mark.parametrize(
    ("loss_of", "due"),
    [
        (lambda loss: loss * torch.tensor([0.5, 1.5]), True),
        (lambda loss: [loss.item(), loss.item()], True),
        (lambda loss: np.float64(loss.item()), True),
        (lambda loss: torch.tensor([]), False),
        (lambda loss: loss * 1j, False),
        (lambda loss: {"loss": loss}, False),
    ],
)
def test_a_loss_of_another_kind_is_its_mean_or_is_named_and_left_out(
    tmp_path, caplog, loss_of, due
):
    run(tmp_path / "odd", loss_of=loss_of)
    run(tmp_path / "usual")
    odd, usual = (figures(tmp_path / name)["loss"] for name in ("odd", "usual"))
    if due:
        np.testing.assert_allclose(odd, usual, rtol=1e-6)
        assert caplog.text == ""
    else:
        assert np.isnan(odd).all()
        assert len(odd) == len(usual)
        assert caplog.text.count("watch: the loss must be a number or a tensor of numbers") == 1
        assert "train/loss" not in read_run(tmp_path / "odd").scalars


def test_a_float_loss_keeps_its_digits_whatever_the_default_dtype(tmp_path):
    net, before = make_net(), torch.get_default_dtype()
    with layerscope.watch(net, tmp_path) as watcher:
        torch.set_default_dtype(torch.bfloat16)
        try:
            watcher.step(1.2345678)
        finally:
            torch.set_default_dtype(before)
    assert figures(tmp_path)["loss"].tolist() == [np.float32(1.2345678)]


def test_a_loop_whose_optimizer_never_steps_is_told_on_the_screen(tmp_path, capsys):
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with layerscope.watch(net, tmp_path / "run") as watcher:
        for _ in range(20):
            optimizer.zero_grad()
            net(torch.ones(2, 6)).sum().backward()
            watcher.step()
    printed = " ".join(capsys.readouterr().out.split())
    assert "after 20 batches the optimizer has not taken a single step" in printed


@pytest.mark.parametrize("given", [False, True])
def test_a_layer_that_came_in_mid_run_and_that_no_optimizer_has_is_told(tmp_path, given):
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with layerscope.watch(net, tmp_path / "run", summary=False) as watcher:
        for step in range(60):
            if step == 12:
                net.append(nn.Tanh()).append(last := nn.Linear(3, 3))
                if given:
                    optimizer.add_param_group({"params": last.parameters()})
            descend(watcher, optimizer, net(torch.randn(8, 4)).square().mean())
    told = [each for each in watcher.findings if each.rule == "not_optimized"]
    assert [each.layer for each in told] == ([] if given else ["4"])


def test_a_step_after_close_is_told_once_and_recorded_nowhere(tmp_path, caplog):
    net = make_net()
    with layerscope.watch(net, tmp_path / "run") as watcher:
        loop(watcher, net, 3)
    assert not caplog.records
    for _ in range(2):
        assert watcher.step(1.0)
    assert caplog.messages == ["watch: step() was called after close(): it records nothing"]
    assert layerscope.read(tmp_path / "run").figures.steps.tolist() == [0, 1, 2]


def test_a_watcher_says_in_a_line_where_it_is(tmp_path):
    net = make_net()
    watcher = layerscope.watch(net, tmp_path / "run")
    assert repr(watcher) == f"<Watcher of {tmp_path}/run: not started, no finding>"
    with watcher:
        loop(watcher, net, 3)
        assert repr(watcher) == f"<Watcher of {tmp_path}/run: open, 3 steps, no finding>"
    assert repr(watcher) == f"<Watcher of {tmp_path}/run: closed, 3 steps, no finding>"


def test_messages_name_the_door(tmp_path, caplog):
    net = make_net()
    with torch.no_grad():
        net[0].weight.mul_(1e4)
    with layerscope.watch(net, tmp_path / "sick") as watcher:
        loop(watcher, net, 12)
    with layerscope.watch(net, tmp_path / "idle"):
        net(torch.ones(2, 6))
    told = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("watch: critical since step 0") for line in told)
    assert told[-1] == (
        "watch: no step was recorded: step() was never called, or no optimizer took a step"
    )
    assert not any("LayerMonitor" in line or "trainer" in line for line in told)


@pytest.mark.parametrize("left_at", [0, 3])
def test_a_net_that_is_trained_in_evaluation_mode_is_told_of_once(tmp_path, caplog, left_at):
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with layerscope.watch(net, tmp_path) as watcher:
        for step, (x, y) in enumerate(batches(9)):
            net.train(step < left_at)
            optimizer.zero_grad()
            cross_entropy(net(x), y).backward()
            optimizer.step()
            watcher.step()
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("watch: the network is in evaluation mode at step ")
    reasons = {each["layer"]: each["reason"] for each in watcher.diagnosis["not_measured"]}
    if left_at:
        assert reasons == {}  # they are measured, as long as they were trained as they should be
    else:
        assert set(reasons) == {"00_tanh", "01_linear"}
        assert all("evaluation mode" in reason for reason in reasons.values())


def test_evaluation_with_gradients_between_training_steps_is_no_evaluation_mode(tmp_path, caplog):
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with layerscope.watch(net, tmp_path) as watcher:
        for x, y in batches(6):
            net.eval()
            cross_entropy(net(x), y)  # somebody forgot no_grad
            net.train()
            optimizer.zero_grad()
            cross_entropy(net(x), y).backward()
            optimizer.step()
            watcher.step()
    assert caplog.text == ""
    assert watcher.diagnosis["not_measured"] == []


def test_a_net_saved_while_it_is_watched_loads_where_layerscope_is_not_installed(tmp_path):
    net = make_net()
    with layerscope.watch(net, tmp_path / "run"):
        torch.save(net, tmp_path / "net.pt")
        torch.save(copy.deepcopy(net), tmp_path / "copy.pt")
    code = """
import sys
sys.modules["layerscope"] = None
import torch
for path in ("net.pt", "copy.pt"):
    net = torch.load(path, weights_only=False)
    print(net(torch.ones(2, 6)).shape)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.stdout.splitlines() == ["torch.Size([2, 3])"] * 2, done.stderr


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("cleared", ["before", "after"])
def test_called_after_each_micro_batch_it_records_a_step_for_each_of_the_optimizer(
    tmp_path, cleared, scaled
):
    def train(folder, often):
        net = make_net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=64.0) if scaled else None
        with layerscope.watch(net, folder, scaler=scaler, images=False) as watcher:
            for number, (x, y) in enumerate(batches(12)):
                last = number % 3 == 2
                loss = cross_entropy(net(x), y)
                (loss / 3 if scaler is None else scaler.scale(loss / 3)).backward()
                if last and scaler is None:
                    optimizer.step()
                elif last:
                    scaler.step(optimizer)
                    scaler.update()
                if last and cleared == "before":
                    optimizer.zero_grad()
                if often:
                    watcher.step(loss)
                else:
                    watcher.note_loss(loss)
                    if last:
                        watcher.step()
                if last and cleared == "after":
                    optimizer.zero_grad()
        assert watcher.failure is None
        return watcher.diagnosis, figures(folder)

    told, often = train(tmp_path / "often", True)
    expected, seldom = train(tmp_path / "seldom", False)
    assert told == expected
    assert often.steps.tolist() == [0, 1, 2, 3]
    assert often["activation_count"][:, 0].tolist() == [3 * 5 * 8] * 4
    np.testing.assert_array_equal(often["loss"], seldom["loss"])
    assert (often["weight_grad_rms"] > 0).all()


def test_the_loss_of_a_step_is_the_mean_of_what_was_told_of_it(tmp_path):
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with layerscope.watch(net, tmp_path) as watcher:
        for x, y in batches(2):
            cross_entropy(net(x), y).backward()
            watcher.note_loss(1.0)
            optimizer.step()
            watcher.step(torch.tensor([2.0, 4.0]))
    assert figures(tmp_path)["loss"].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_validation_that_forgot_evaluation_mode_is_not_training(tmp_path, mode):
    def train(folder, validate):
        net = make_net()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        with layerscope.watch(net, folder) as watcher:
            for x, y in batches(4):
                optimizer.zero_grad()
                loss = cross_entropy(net(x), y)
                loss.backward()
                optimizer.step()
                if validate:
                    with mode():
                        net(100 * x)
                    with mode(), pytest.raises(RuntimeError, match="shape"):
                        net(x[:, :2])
                watcher.step(loss)
        assert watcher.failure is None
        assert sum(len(module._forward_pre_hooks) for module in net.modules()) == 0
        return watcher.diagnosis

    assert train(tmp_path / "with", True) == train(tmp_path / "without", False)


def test_a_frozen_part_without_gradients_and_a_checkpointed_one_are_training(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.frozen = nn.Linear(6, 6).requires_grad_(False)
            self.body = nn.Linear(6, 6)
            self.head = nn.Linear(6, 3)

        def forward(self, x):
            with torch.no_grad():
                x = self.frozen(x)
            x = checkpoint(self.body, x.requires_grad_(), use_reentrant=True)
            return self.head(x)

    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.SGD((net.body.weight, *net.head.parameters()), lr=0.1)

    with layerscope.watch(net, tmp_path) as watcher:
        for x, y in batches(3):
            optimizer.zero_grad()
            cross_entropy(checkpoint(net, x.requires_grad_(), use_reentrant=True), y).backward()
            optimizer.step()
            watcher.step()
    assert watcher.failure is None
    counts = figures(tmp_path)["activation_count"]
    assert counts.tolist() == [[30.0, 30.0, 15.0]] * 3


@pytest.mark.parametrize(("batches", "told"), [(19, False), (20, True)])
def test_an_optimizer_that_never_takes_a_step_is_a_finding(tmp_path, batches, told):
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with layerscope.watch(net, tmp_path) as watcher:
        for _ in range(batches):
            optimizer.zero_grad()
            loss = net(torch.ones(2, 6)).sum()
            loss.backward()
            watcher.step(loss)
    assert [finding.rule for finding in watcher.findings] == ["not_optimized"] * told


@pytest.mark.parametrize("told", [True, False])
def test_what_is_unfrozen_later_and_no_optimizer_has_is_told_of_from_then_on(tmp_path, told):
    net = make_net()
    first = next(each for each in net.modules() if isinstance(each, torch.nn.Linear))
    first.requires_grad_(False)
    optimizer = torch.optim.Adam([each for each in net.parameters() if each.requires_grad])
    with layerscope.watch(net, tmp_path, images=False, summary=False) as scope:
        for k, (x, y) in enumerate(batches(90)):
            if k == 20:
                first.requires_grad_(True)
                if not told:
                    optimizer.add_param_group({"params": list(first.parameters())})
            descend(scope, optimizer, cross_entropy(net(x), y))
    of = [(f.rule, f.step) for f in scope.findings if f.rule == "not_optimized"]
    assert of == [("not_optimized", 20)] * told


@pytest.mark.parametrize("told", [True, False])
def test_a_gradient_of_before_is_none_that_an_optimizer_should_have(tmp_path, told):
    net, body = make_net(), torch.nn.Linear(6, 6)
    body(torch.ones(2, 6)).sum().backward()
    both = torch.nn.ModuleDict({"body": body, "net": net})
    optimizer = torch.optim.Adam(net.parameters())
    with layerscope.watch(both, tmp_path, images=False, summary=False) as scope:
        for x, y in batches(30):
            with torch.set_grad_enabled(told):
                features = body(x)
            descend(scope, optimizer, cross_entropy(net(features), y))
    assert ("not_optimized" in [each.rule for each in scope.findings]) == told


def test_an_optimizer_that_is_made_anew_in_each_step_is_not_kept(tmp_path):
    net, made = make_net(), []
    with layerscope.watch(net, tmp_path, images=False, summary=False) as scope:
        for x, y in batches():
            optimizer = torch.optim.Adam(net.parameters())
            made.append(weakref.ref(optimizer))
            loss = cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            scope.step(loss)
        gc.collect()
        assert [reference() is None for reference in made] == [True] * 5 + [False]
    assert figures(tmp_path)["optimizers_replaced"][4] == 4


def test_networks_that_train_beside_the_watched_one_are_not_kept(tmp_path):
    net, gone = make_net(), []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def train(network, its, x, y):
        its.zero_grad()
        loss = cross_entropy(network(x), y)
        loss.backward()
        its.step()
        return loss

    with layerscope.watch(net, tmp_path, images=False, summary=False) as scope:
        for x, y in batches():
            other = make_net()
            gone += [weakref.ref(each) for each in other.parameters()]
            train(other, torch.optim.SGD(other.parameters(), lr=0.1), x, y)
            scope.step(train(net, optimizer, x, y))
        del other
        gc.collect()
        assert len(gone) == 24
        assert not [each for each in gone if each() is not None]


def test_a_validation_before_the_step_ends_does_not_say_how_it_was_trained(tmp_path):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.25), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    with layerscope.watch(net, tmp_path / "run") as watcher:
        for _ in range(3):
            net.train()
            optimizer.zero_grad()
            loss = net(torch.randn(8, 3)).square().mean()
            loss.backward()
            optimizer.step()
            net.eval()
            with torch.no_grad():
                net(torch.randn(8, 3))
            watcher.step(loss)
    figures = layerscope.read(tmp_path / "run").figures
    np.testing.assert_array_equal(figures["evaluation_share"], 0)
    np.testing.assert_array_equal(figures["dropout"], 0.25)
    assert not [each for each in watcher.findings if each.rule == "in_evaluation_mode"]


_DRAWN_BESIDE = """
import random, tempfile
import numpy, torch
import layerscope
random.seed(0), numpy.random.seed(0), torch.manual_seed(0)
network = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(network.parameters(), 0.1)
before = random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
with layerscope.watch(network, tempfile.mkdtemp()) as watcher:
    for _ in range(20):
        optimizer.zero_grad()
        loss = network(torch.ones(4, 3)).sum().square()
        loss.backward()
        optimizer.step()
        watcher.step(loss)
after = random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
print([one == other for one, other in zip(before, after)])
"""


def test_the_first_watch_of_a_process_draws_none_of_the_script_s_random_numbers():
    """What it imports on first use may: rich draws some for its styles."""
    done = subprocess.run(
        [sys.executable, "-c", _DRAWN_BESIDE], capture_output=True, text=True, timeout=300
    )
    assert done.stdout.splitlines()[-1] == "[True, True, True]", done.stderr


def test_a_step_before_the_backward_pass_of_its_loss_is_told_once(tmp_path, caplog):
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with layerscope.watch(net, tmp_path / "run") as watcher:
        for x, y in batches():
            optimizer.zero_grad()
            loss = cross_entropy(net(x), y)
            watcher.step(loss)
            loss.backward()
            optimizer.step()
    assert caplog.messages == [
        "watch: step() was called before the backward pass of its loss: each step is recorded with "
        "the loss of the next one; call it after the optimizer's step"
    ]


def test_a_step_after_each_micro_batch_is_no_step_before_its_backward_pass(tmp_path, caplog):
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with layerscope.watch(net, tmp_path / "run") as watcher:
        for number, (x, y) in enumerate(batches()):
            loss = cross_entropy(net(x), y)
            loss.backward()
            if number % 3 == 2:
                optimizer.step()
                optimizer.zero_grad()
            watcher.step(loss)
    assert not caplog.records
    assert layerscope.read(tmp_path / "run").figures.steps.tolist() == [0, 1]


def test_a_network_on_the_meta_device_ends_the_watching_in_one_sentence(tmp_path, caplog):
    with torch.device("meta"):
        net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with layerscope.watch(net, tmp_path / "run") as watcher:
        for _ in range(3):
            optimizer.zero_grad()
            net(torch.ones(2, 6, device="meta")).sum().backward()
            optimizer.step()
            watcher.step()
    assert watcher.failure == (
        "watching stopped at step 0: the network is on the meta device, which holds no numbers: "
        "give it real ones first, by model.to_empty(device=...) and its init"
    )
    assert caplog.messages == [f"watch: {watcher.failure}; the loop goes on"]
    assert caplog.records[0].exc_info is None


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("is_open", [False, True])
def test_a_watcher_is_not_copied_and_says_what_can_be(tmp_path, copied, is_open):
    watcher = layerscope.watch(make_net(), tmp_path / "run")
    said = pytest.raises(TypeError, match=r"^a Watcher holds .*: copy or save the network")
    with watcher if is_open else contextlib.nullcontext(), said:
        copied(watcher)
    assert watcher.failure is None
