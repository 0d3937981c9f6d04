"""Networks are found in a script that knows nothing of LayerScope."""

import copy
import gc
import math
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import optimizer as optimizers_module

import layerscope
from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_FIGURES
from layerscope.integrations.backward_start import BackwardStart
from layerscope.integrations.script import ScriptWatch, script_watch
from layerscope.record.recorder import Recorder
from layerscope.session.pipeline import Pipeline
from layerscope.session.settings import Settings
from tests.usual_step import descend


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.Tanh())
        self.head = nn.Linear(8, 3)

    def forward(self, inputs):
        return self.head(self.body(inputs))


def classifier():
    torch.manual_seed(0)
    net = Classifier()
    return net, torch.optim.AdamW(net.parameters(), lr=0.01)


def batches(count):
    draw = torch.Generator().manual_seed(1)
    for _ in range(count):
        yield torch.randn(5, 6, generator=draw), torch.randint(3, (5,), generator=draw)


def train(net, optimizer, count=12, by_keyword=False):
    losses = []
    for x, y in batches(count):
        loss = cross_entropy(net(inputs=x) if by_keyword else net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.fixture
def watch(tmp_path):
    watching = ScriptWatch(tmp_path / "run", Settings(), named=True)
    watching.start()
    yield watching
    watching.close()


@pytest.mark.parametrize("by_keyword", [False, True])
def test_it_records_what_watch_does_of_the_same_loop(watch, tmp_path, by_keyword):
    net, optimizer = classifier()
    losses = train(net, optimizer, by_keyword=by_keyword)
    watch.close()
    found = layerscope.read(tmp_path / "run")
    np.testing.assert_allclose(found.scalars["train/loss"].values, losses, rtol=1e-6)

    twin, optimizer = classifier()
    with layerscope.watch(twin, tmp_path / "watch") as watcher:
        for x, y in batches(12):
            loss = cross_entropy(twin(inputs=x) if by_keyword else twin(x), y)
            descend(watcher, optimizer, loss)
    told = layerscope.read(tmp_path / "watch")
    assert list(found.histograms) == list(told.histograms)
    for tag, series in told.histograms.items():
        np.testing.assert_array_equal(found.histograms[tag].buckets, series.buckets)
    timed = {"monitor_ms", "step_ms"}
    for name in {*LAYER_FIGURES, *STEP_FIGURES} - timed:
        np.testing.assert_array_equal(found.figures[name], told.figures[name])
    assert all(map(torch.equal, net.parameters(), twin.parameters()))


def test_parts_that_are_called_alone_belong_to_the_network_around_them(watch):
    autoencoder = nn.ModuleDict({"encoder": nn.Linear(6, 2), "decoder": nn.Linear(2, 6)})
    optimizer = torch.optim.SGD(autoencoder.parameters(), lr=0.1)
    for x, _ in batches(4):
        mse_loss(autoencoder["decoder"](autoencoder["encoder"](x)), x).backward()
        optimizer.step()
        optimizer.zero_grad()
    (found,) = watch.networks
    assert found.network is autoencoder


def test_a_generator_and_its_discriminator_stay_apart_each_with_its_loss(watch, tmp_path):
    torch.manual_seed(0)
    generator, discriminator = nn.Sequential(nn.Linear(2, 6)), Classifier()
    both = nn.ModuleList([generator, discriminator])  # one could watch it
    of_g = torch.optim.SGD(generator.parameters(), lr=0.1)
    of_d = torch.optim.SGD(discriminator.parameters(), lr=0.1)
    losses = {"Sequential": [], "Classifier": []}
    for x, y in batches(4):
        fake = generator(torch.randn(5, 2))
        discriminator.zero_grad()
        real, made = cross_entropy(discriminator(x), y), discriminator(fake.detach()).mean()
        real.backward()
        made.backward()
        of_d.step()
        losses["Classifier"].append((real + made).item())
        generator.zero_grad()
        loss = discriminator(fake).square().mean()
        loss.backward()
        of_g.step()
        losses["Sequential"].append(loss.item())
    watch.close()
    assert {type(each.network).__name__ for each in watch.networks} == set(losses)
    assert both not in [each.network for each in watch.networks]
    for name, values in losses.items():
        recorded = layerscope.read(tmp_path / "run" / name).scalars["train/loss"].values
        np.testing.assert_allclose(recorded, values, rtol=1e-6)


def test_a_step_ends_when_all_of_its_optimizers_have_taken_theirs(watch, tmp_path):
    net, _ = classifier()
    optimizers = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (net.body, net.head)]
    unused = torch.optim.SGD([net.head.bias], lr=0.1)
    for x, y in batches(5):
        cross_entropy(net(x), y).backward()
        for each in optimizers:
            each.step()
        net.zero_grad()
    watch.close()
    assert unused.param_groups
    assert list(layerscope.read(tmp_path / "run").figures.steps) == list(range(5))


def test_accumulated_losses_add_up(watch, tmp_path):
    net, optimizer = classifier()
    total = 0.0
    for x, y in batches(3):
        loss = cross_entropy(net(x), y) / 3
        loss.backward()
        total += loss.item()
    optimizer.step()
    watch.close()
    run = layerscope.read(tmp_path / "run")
    np.testing.assert_allclose(run.scalars["train/loss"].values, [total], rtol=1e-6)


def test_sizes_that_numpy_has_computed_are_written(watch, tmp_path):
    net = nn.Sequential(nn.Linear(np.prod((2, 3)), np.int64(4)), nn.Tanh(), nn.Linear(4, 3))
    train(net, torch.optim.SGD(net.parameters(), lr=0.1), count=3)
    watch.close()
    assert [len(s.steps) for s in layerscope.read(tmp_path / "run").histograms.values()][:1] == [3]


def test_a_network_whose_optimizer_comes_later_is_found(watch):
    net, _ = classifier()
    for x, _ in batches(3):
        net(x)  # to see whether it runs
    train(net, torch.optim.SGD(net.parameters(), lr=0.1))
    assert [each.network for each in watch.networks] == [net]


def test_networks_that_one_optimizer_trains_are_watched_each(watch, tmp_path):
    body, actor, critic = nn.Linear(6, 4), nn.Linear(4, 2), nn.Linear(4, 1)
    parts = [body, actor, critic]
    optimizer = torch.optim.SGD([p for part in parts for p in part.parameters()], lr=0.1)
    for x, _ in batches(3):
        hidden = body(x)
        (actor(hidden).sum() + critic(hidden).sum()).backward()
        optimizer.step()
    watch.close()
    assert [each.network for each in watch.networks] == parts
    for each in watch.networks:
        assert list(layerscope.read(each.folder).figures.steps) == [0, 1, 2]


def test_a_list_of_a_student_and_its_teacher_is_no_network(watch):
    student, optimizer = classifier()
    both = nn.ModuleDict({"student": student, "teacher": Classifier()})
    for x, _ in batches(2):
        with torch.no_grad():
            wanted = both["teacher"](x)
        mse_loss(both["student"](x), wanted).backward()
        optimizer.step()
    assert [each.network for each in watch.networks] == [student]


def test_garbage_around_a_network_is_not_taken_for_it(watch):
    net, optimizer = classifier()
    garbage = nn.Sequential(net, nn.Linear(3, 3))
    garbage.itself = [garbage]
    del garbage
    train(net, optimizer, 2)
    assert [each.network for each in watch.networks] == [net]


def test_what_is_not_trained_is_no_network(watch):
    net, optimizer = classifier()
    teacher = Classifier()
    with torch.no_grad():
        teacher(torch.randn(5, 6))
    nn.Softmax(-1)(torch.randn(5, 6))
    train(net, optimizer)
    assert [each.network for each in watch.networks] == [net]


def test_torch_tells_of_no_call_any_more_once_each_optimizer_has_a_network(watch):
    hooks = torch.nn.modules.module._global_forward_pre_hooks
    before = len(hooks)
    net, optimizer = classifier()
    train(net, optimizer, 2)
    assert len(hooks) == before - 1
    other = nn.Linear(6, 3)
    train(other, torch.optim.SGD(other.parameters(), lr=0.1), 3)
    assert [each.network for each in watch.networks] == [net, other]
    assert list(layerscope.read(watch.networks[1].folder).figures.steps) == [0, 1]


def test_close_leaves_no_hook():
    hooks = (
        torch.nn.modules.module._global_forward_pre_hooks,
        optimizers_module._global_optimizer_pre_hooks,
        optimizers_module._global_optimizer_post_hooks,
    )
    before = [len(each) for each in hooks]
    net, optimizer = classifier()
    watching = ScriptWatch("/nowhere/at/all", Settings(), named=True)
    watching.start()
    train(net, optimizer, 2)  # the folder cannot be made: told, and nothing else
    watching.close()
    assert [len(each) for each in hooks] == before
    assert not net._forward_hooks


class Passes(torch.autograd.Function):
    """A node of a graph that is known by what it keeps, a context."""

    @staticmethod
    def forward(context, x, alive):
        alive.append(weakref.ref(context))
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient, None


def test_no_graph_of_a_script_that_never_ends_is_kept(watch):
    net, optimizer = classifier()
    train(net, optimizer, 3)
    alive = []
    for x, y in batches(3):
        loss = cross_entropy(net(Passes.apply(x.requires_grad_(), alive)), y)
        loss.backward(retain_graph=True)  # and no step: as of the other loss of a GAN
        net(Passes.apply(x, alive))  # nor a loss
    assert watch.networks
    del loss
    gc.collect()
    assert [each() for each in alive] == [None] * 6


class InAnotherThread(torch.autograd.Function):
    """Runs its tensor's hooks as a GPU's engine does: in a thread that is not the script's."""

    hook = None

    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        thread = threading.Thread(target=InAnotherThread.hook, args=(gradient,))
        thread.start()
        thread.join(30)
        return gradient


def test_the_loss_is_found_from_a_thread_of_the_device_too():
    net, _ = classifier()
    seen = []
    start = BackwardStart(net, seen.append)
    InAnotherThread.hook = start._see_gradient
    for x, y in batches(2):
        loss = cross_entropy(InAnotherThread.apply(net(x)), y)
        loss.backward()
        assert start.take() == loss
        assert seen.pop() is loss
    assert not seen


def test_a_step_that_a_gradient_scaler_leaves_out_is_a_step_of_its_own(watch, tmp_path):
    net, optimizer = classifier()
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    losses = []
    for number, (x, y) in enumerate(batches(5)):
        optimizer.zero_grad()
        loss = cross_entropy(net(x), y)
        scaler.scale(loss).backward()
        if number in (2, 4):
            net.head.weight.grad[0, 0] = math.inf
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    watch.close()
    figures = layerscope.read(tmp_path / "run").figures
    assert figures["skipped"].tolist() == [0, 0, 1, 0, 1]
    assert figures["activation_count"][:, 0].tolist() == [40.0] * 5
    seen = [0, 1, 3]
    np.testing.assert_allclose(figures["loss"][seen], np.array(losses)[seen], rtol=1e-5)


def test_a_script_may_save_and_copy_the_network_that_it_trains(watch, tmp_path):
    net, optimizer = classifier()
    train(net, optimizer, 2)
    assert watch.networks
    torch.save(net, tmp_path / "net.pt")
    x = torch.ones(2, 6)
    with torch.serialization.safe_globals([Classifier, nn.Sequential, nn.Linear, nn.Tanh]):
        loaded = torch.load(tmp_path / "net.pt", weights_only=True)
    for other in (loaded, copy.deepcopy(net)):
        assert torch.equal(other(x), net(x))
    assert watch.networks[0].network is net


class Wrapper(torch.optim.Optimizer):
    """An optimizer around another, as Accelerate's and Lightning's."""

    def __init__(self, inner):
        self.inner = inner

    @property
    def param_groups(self):
        return self.inner.param_groups

    def step(self):
        self.inner.step()

    def zero_grad(self):
        self.inner.zero_grad()


def test_an_optimizer_in_a_wrapper_is_one(watch):
    net, optimizer = classifier()
    train(net, Wrapper(optimizer), 3)
    (found,) = watch.networks
    assert not found._stepped  # no other one is waited for


def test_a_step_that_waited_for_an_optimizer_is_whole_though_a_validation_comes_next(
    watch, tmp_path
):
    net, optimizer = classifier()
    never = torch.optim.SGD(net.head.parameters(), lr=0.1)
    train(net, optimizer, 3)
    with torch.no_grad():
        net(torch.ones(2, 6))
    watch.close()
    assert layerscope.read(tmp_path / "run").figures.steps.tolist() == [0, 1, 2]
    assert never.state == {}


@pytest.mark.parametrize("every", [0, 25])
def test_a_script_whose_optimizer_never_steps_is_told_and_one_that_adds_up_is_not(
    watch, tmp_path, capsys, every
):
    net, optimizer = classifier()
    for count, (inputs, targets) in enumerate(batches(26)):
        nn.functional.cross_entropy(net(inputs), targets).backward()
        if every and count % every == every - 1:
            optimizer.step()
    watch.close()
    told = "the optimizer has not taken a single step" in " ".join(capsys.readouterr().out.split())
    assert told == (every == 0)


class Adapted(nn.Module):
    def __init__(self, frozen):
        super().__init__()
        self.frozen = frozen.requires_grad_(False)
        self.change = nn.Linear(frozen.in_features, frozen.out_features)

    def forward(self, inputs):
        return self.frozen(inputs) + self.change(inputs)


def adapt(net):
    net.requires_grad_(False)
    net.head = Adapted(net.head)


def load_anew(net):
    net.load_state_dict(
        {name: each.clone() for name, each in net.state_dict().items()}, assign=True
    )


@pytest.mark.parametrize("change", [adapt, load_anew])
def test_a_network_that_gets_other_parameters_and_an_optimizer_for_them_stays_one(
    watch, tmp_path, change
):
    net, optimizer = classifier()
    train(net, optimizer, 5)
    change(net)
    train(net, torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1), 5)
    watch.close()
    assert [each.network for each in watch.networks] == [net]
    assert list(layerscope.read(tmp_path / "run").figures.steps) == list(range(10))


def test_what_the_script_computes_by_torch_func_is_its_own_affair(watch, tmp_path):
    net, optimizer = classifier()
    losses = train(net, optimizer, 2)
    (x, _), *_ = batches(1)
    torch.func.vmap(torch.func.grad(lambda inputs: net(inputs).sum()))(x)
    losses += train(net, optimizer, 2)
    watch.close()
    run = layerscope.read(tmp_path / "run")
    np.testing.assert_allclose(run.scalars["train/loss"].values, losses, rtol=1e-6)
    assert not [each for each in run.findings if each.rule == "not_measured"]


# LBFGS makes a number of its closure's loss.
@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning")
def test_the_loss_of_a_step_that_evaluates_a_closure_many_times_is_the_first(watch, tmp_path):
    net, _ = classifier()
    optimizer = torch.optim.LBFGS(net.parameters(), lr=0.1, max_iter=3)
    losses = []
    for x, y in batches(3):

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = cross_entropy(net(x), y)
            loss.backward()
            return loss

        losses.append(optimizer.step(closure).item())
    watch.close()
    recorded = layerscope.read(tmp_path / "run").scalars["train/loss"].values
    np.testing.assert_allclose(recorded, losses, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_a_scripted_network_is_watched_as_far_as_it_can_be(watch, tmp_path, caplog):
    net = torch.jit.script(Classifier())
    losses = train(net, torch.optim.SGD(net.parameters(), lr=0.1), 3)
    watch.close()
    run = layerscope.read(tmp_path / "run")
    np.testing.assert_allclose(run.scalars["train/loss"].values, losses, rtol=1e-6)
    assert not caplog.messages  # diagnosis.json says that it is scripted


def test_a_loop_that_makes_a_copy_in_each_step_is_told_that_no_more_are_watched(
    watch, monkeypatch, capsys
):
    monkeypatch.setattr(script_watch, "MOST", 2)
    net, optimizer = classifier()
    for _ in range(3):
        train(net, optimizer, 1)
        train(fast := copy.deepcopy(net), torch.optim.SGD(fast.parameters(), lr=0.1), 2)
    assert len(watch.networks) == 2
    assert capsys.readouterr().err.endswith("layerscope run: 2 networks are watched, and no more\n")


@pytest.mark.parametrize("place", [(Pipeline, "take"), (Recorder, "measure_gradients")])
def test_an_instrument_that_fails_leaves_no_hook_on_the_script_s_network(watch, monkeypatch, place):
    net, optimizer = classifier()

    def failing(self, *given):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(*place, failing)
    train(net, optimizer, 4)
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in net.modules())


def test_a_network_that_is_frozen_at_its_first_call_is_found_when_it_trains(watch):
    generator, discriminator = nn.Linear(2, 6), nn.Linear(6, 1)  # as a CycleGAN's
    of_g, of_d = (torch.optim.SGD(each.parameters(), lr=0.1) for each in (generator, discriminator))
    for _ in range(3):
        discriminator.requires_grad_(False)
        fake = generator(torch.randn(5, 2))
        discriminator(fake).sum().backward()
        of_g.step()
        discriminator.requires_grad_(True)
        discriminator(fake.detach()).sum().backward()
        of_d.step()
    assert [each.network for each in watch.networks] == [generator, discriminator]


def test_a_copy_that_trains_with_a_copy_of_the_optimizer_is_seen_from_its_second_step(watch):
    train(*classifier(), 1)
    net, optimizer = copy.deepcopy(classifier())
    train(net, optimizer, 3)
    found = watch.networks[-1]
    assert found.network is net
    watch.close()
    assert list(layerscope.read(found.folder).figures.steps) == [0, 1]
