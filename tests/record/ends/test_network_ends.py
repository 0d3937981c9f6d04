"""Data, output and the loss's gradient on it are seen, whatever the network looks like."""

import copy
import io
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

from layerscope.quantity import Quantity
from layerscope.record import choose_layers
from layerscope.record.channel import Channel
from layerscope.record.ends.network_ends import NetworkEnds
from layerscope.record.hook_state import HookState
from layerscope.record.parameters.layer_parameter import LayerParameter


def watched(network):
    state = HookState(network)
    state.counting = True
    ends = NetworkEnds(network, choose_layers(network), state, lambda: True)
    ends.attach()
    ends.look(True)
    return ends


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


class Last(nn.Module):
    def forward(self, x):
        return x[-1]


X = torch.randn(16, 4, generator=torch.Generator().manual_seed(1)) * 5
Y = torch.arange(16) % 3


def test_hooks_that_see_nothing_between_looks_are_off_until_something_is_compiled():
    network = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3))
    ends = watched(network)
    tokens = torch.arange(32).reshape(16, 2) % 9
    F.cross_entropy(network(tokens)[:, -1], Y).backward()
    ends.take()  # the first step searches

    def hooks():
        return len(network._forward_hooks), len(network[0]._forward_pre_hooks)

    assert hooks() == (1, 1)
    ends.look(False)
    assert hooks() == (0, 0)
    ends.look(True)
    assert hooks() == (1, 1)
    network(tokens)
    assert len(ends.take().given) == 1
    ends.detach()
    assert hooks() == (0, 0)
    ends.attach()
    assert hooks() == (1, 1)
    ends._state.is_compiled = True
    ends.look(False)
    assert hooks() == (1, 1)


def test_what_comes_in_in_evaluation_mode_is_kept_of_the_first_passes():
    network = mlp()
    ends = watched(network)
    network(X).sum().backward()
    assert ends.take().evaluated == ()
    ends._state.counting = False
    network(X)
    network.eval()
    for each in range(10):
        with torch.no_grad():
            network(X[each:])
    seen = ends.take().evaluated
    assert [len(each.get()) for each in seen] == [16, 15, 14, 13, 12, 11, 10, 9]
    assert seen[1].get().equal(X[1:].double())
    assert ends.take().evaluated == ()


def test_data_output_and_gradient_of_a_step_are_those_that_the_loop_had():
    network = mlp()
    ends = watched(network)
    for _ in range(2):  # the first step searches, the second knows where to look
        output = network(X)
        output.retain_grad()
        F.cross_entropy(output, Y).backward()
        seen = ends.take()
        assert torch.equal(seen.data[0].values, X.double())
        assert torch.equal(seen.output.values, output.detach().double())
        assert torch.equal(seen.output.gradient, output.grad.double())
        assert seen.output.samples == 16


def test_after_the_first_step_only_the_ends_have_hooks():
    network = nn.Sequential(mlp(), nn.ReLU())
    ends = watched(network)
    network(X).sum().backward()
    ends.take()
    hooked = [m for m in network.modules() if m._forward_hooks or m._forward_pre_hooks]
    assert hooked == [network, network[0][0]]
    ends.detach()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


class Keyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, *, pixels):
        return {"logits": self.head(self.first(input=pixels / 255).relu())}


def test_data_that_are_given_by_keyword_are_seen_as_the_first_layer_gets_them():
    network = Keyword()
    ends = watched(network)
    F.cross_entropy(network(pixels=X)["logits"], Y).backward()
    seen = ends.take()
    assert torch.equal(seen.data[0].values, (X / 255).double())
    assert seen.output.values.shape == (16, 3)


def test_what_the_loss_changes_in_place_is_seen_as_it_was():
    network = mlp()
    ends = watched(network)
    output = network(X)
    before = output.detach().clone().double()
    output.relu_().sum().backward()
    assert torch.equal(ends.take().output.values, before)


def test_a_module_that_the_loop_calls_beside_the_network_is_the_outermost():
    class Unit(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp()

    unit = Unit()
    ends = watched(unit)
    for _ in range(2):
        unit.net(X).sum().backward()  # the unit itself is never called
        assert ends.take().output is not None


def test_of_a_large_output_some_samples_are_kept():
    network = nn.Linear(4, 1000)
    ends = watched(network)
    network(X.repeat(100, 1)).sum().backward()
    output = ends.take().output
    assert output.samples == 1600
    assert output.values.numel() <= 65_536
    assert output.values.shape == output.gradient.shape


class Itself(nn.Module):
    """Gives what it holds, so that the gradient on its output may be compared with its own."""

    def __init__(self, *shape):
        super().__init__()
        torch.manual_seed(0)
        self.output = nn.Parameter(torch.randn(*shape))

    def forward(self):
        return 1 * self.output


def of_classes_at(axis, loss_of=F.cross_entropy):
    """A loss of the classes along this axis, which `cross_entropy` takes from the second."""
    return lambda output: loss_of(
        output.movedim(axis, 1),
        torch.arange(output.numel() // output.shape[axis]).view(output.movedim(axis, -1).shape[:-1])
        % output.shape[axis],
    )


def likelihood(output, targets):
    return F.nll_loss(output.log_softmax(1), targets)


def of_two_classes_mostly(output, targets):
    return F.cross_entropy(output, targets.clamp(max=1), label_smoothing=0.0, ignore_index=0)


SHAPES = [(6, 4, 9), (6, 9, 4), (6, 5, 5), (6, 2, 7), (5, 6, 3, 2), (5, 3, 2, 6), (3, 4, 2, 3, 2)]


@pytest.mark.parametrize("loss_of", [F.cross_entropy, likelihood, of_two_classes_mostly])
@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_classes_lie_along_the_axis_that_the_loss_takes_them_from(shape, axis, loss_of):
    network = Itself(*shape)
    ends = watched(network)
    of_classes_at(axis, loss_of)(network()).backward()
    output = ends.take().output.along_classes()
    values, slope = (
        each.detach().movedim(axis, -1).flatten(0, -2).double()
        for each in (network.output, network.output.grad)
    )
    assert output.axis == axis % len(shape)
    assert output.samples == len(values)
    torch.testing.assert_close(output.values, values)
    torch.testing.assert_close(output.gradient, slope)


@pytest.mark.parametrize(("shape", "usual"), [((6, 4, 9), 2), ((5, 3, 4, 4), 1), ((5, 7), 1)])
def test_without_classes_features_lie_where_they_do_as_a_rule(shape, usual):
    for loss_of in (torch.Tensor.mean, lambda x: x.square().mean(), lambda x: x[..., 0, :].sum()):
        network = Itself(*shape)
        ends = watched(network)
        loss_of(network()).backward()
        assert ends.take().output.along_classes().axis == usual


@pytest.mark.parametrize("axis", [1, -1])
def test_of_a_large_output_samples_along_either_axis_are_kept(axis):
    network = Itself(64, 40, 70)
    ends = watched(network)
    of_classes_at(axis)(network()).backward()
    output = ends.take().output.along_classes()
    every = network.output.detach().movedim(axis, -1).flatten(0, -2).double()
    assert output.every > 1
    torch.testing.assert_close(output.values, every[:: output.every])
    assert output.samples == len(every)


def test_channels_of_an_image_are_the_last_axis_of_its_samples():
    network = nn.Conv2d(1, 5, 3)
    ends = watched(network)
    network(torch.randn(2, 1, 6, 6)).sum().backward()
    output = ends.take().output
    assert output.values.shape == (2 * 4 * 4, 5)
    assert output.samples == 32


@pytest.mark.parametrize(
    ("shape", "end", "by_sample"),
    [
        ((8, 5, 4), [nn.Flatten(0, 1)], False),  # rows of places
        ((8, 5, 4), [nn.Flatten(), nn.Linear(20, 3)], True),
        ((8, 5, 4), [], False),
        ((5, 8, 4), [nn.Flatten(0, 1), nn.Unflatten(0, (5, 8)), Last()], True),  # time first
    ],
)
def test_rows_are_samples_or_the_places_of_samples(shape, end, by_sample):
    ends = watched(network := nn.Sequential(nn.Linear(4, 4), *end))
    network(torch.randn(shape)).sum().backward()
    assert ends.take().output.by_sample == by_sample


def after_a_step():
    """A network, its ends, its optimizer and the parameter whose gradient is remembered."""
    ends = watched(network := mlp())
    parameters = [LayerParameter(network[0].weight, "00", Channel(Quantity.WEIGHT, "00"))]
    network(X).sum().backward()
    ends.output.kept_gradients.remember(parameters)
    return network, ends, torch.optim.SGD(network.parameters(), lr=0.1), parameters


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_that_were_cleared_are_not_kept(set_to_none):
    network, ends, optimizer, parameters = after_a_step()
    optimizer.zero_grad(set_to_none=set_to_none)
    ends.take()
    network(X).sum().backward()
    assert ends.take().figures["gradients_kept"] == 0
    ends.output.kept_gradients.remember(parameters)
    network(X).sum().backward()
    ends.output.kept_gradients.confirm()
    assert ends.take().figures["gradients_kept"] == 1


def to_nobody(network, optimizer):
    torch.autograd.grad(network(X).sum(), list(network.parameters()))
    optimizer.zero_grad()
    network(X).sum().backward()


def in_their_place(network, optimizer):
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(network(X).sum(), parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


@pytest.mark.parametrize("backward", [to_nobody, in_their_place])
def test_a_backward_pass_that_adds_to_no_gradient_keeps_none(backward):
    network, ends, optimizer, _ = after_a_step()
    ends.take()
    backward(network, optimizer)
    ends.output.kept_gradients.confirm()
    assert ends.take().figures["gradients_kept"] == 0


def test_copies_of_a_watched_network_carry_hooks_that_do_nothing():
    network = mlp()
    ends = watched(network)
    twin = copy.deepcopy(network)
    buffer = io.BytesIO()
    torch.save(network, buffer)
    twin(X).sum().backward()
    assert ends.take().output is None


def test_an_exception_in_the_network_does_not_lose_the_outermost_module():
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.fails = mlp(), True

        def forward(self, x):
            if self.fails:
                raise RuntimeError("once")
            return self.net(x)

    network = Fails()
    ends = watched(network)
    with pytest.raises(RuntimeError, match="once"):
        network(X)
    network.fails = False
    network(X).sum().backward()
    assert ends.take().output is not None
    assert len(network._forward_hooks) == 1


def test_a_pass_without_gradients_is_no_output():
    network = mlp()
    ends = watched(network)
    with torch.no_grad():
        network(X)
    assert ends.take().output is None


def test_of_several_backward_passes_in_a_step_the_last_and_the_first_are_kept_in_turn():
    network = mlp()
    ends = watched(network)
    kept = []
    for _ in range(4):
        outputs = []
        for shift in range(3):
            outputs.append(network(X + shift))
            F.cross_entropy(outputs[-1], Y).backward()
        values = ends.take().output.values
        kept += [n for n, each in enumerate(outputs) if torch.equal(values, each.double())]
    assert kept == [2, 0, 2, 0]


@pytest.mark.parametrize(("moves", "passes"), [(False, 3), (True, 1)])
def test_passes_add_up_as_long_as_the_weights_are_the_same(moves, passes):
    """A closure's, as of LBFGS, and the two of sharpness-aware minimisation are of others each."""
    network = mlp()
    ends, weight = watched(network), network[0].weight
    ends.output.kept_gradients.remember(
        [LayerParameter(weight, "00", Channel(Quantity.WEIGHT, "00"))]
    )
    for _ in range(3):
        F.cross_entropy(network(X), Y).backward()
        if moves:
            with torch.no_grad():
                weight.mul_(0.9)
    assert ends.take().figures["passes"] == passes


class Counted(nn.Embedding):
    """Positions, counted by a mask of numbers with a fraction, as OPT's."""

    def forward(self, mask):
        return super().forward(mask.cumsum(1).long() - 1)


def test_a_mask_that_an_embedding_gets_is_no_data():
    network = nn.Sequential(Counted(8, 4), nn.Linear(4, 3))
    ends = watched(network)
    for _ in range(2):
        network(torch.ones(16, 8)).sum().backward()
        assert ends.take().data == ()


def test_the_pass_of_a_gradient_penalty_is_not_that_of_the_loss():
    network = mlp()
    ends = watched(network)
    for _ in range(2):
        inputs = X.clone().requires_grad_()
        (slope,) = torch.autograd.grad(network(inputs).sum(), inputs, create_graph=True)
        output = network(X)
        (F.cross_entropy(output, Y) + slope.square().mean()).backward()
        seen = ends.take().output
        assert torch.equal(seen.values, output.double())
        assert not (seen.gradient == 1).any()


@pytest.mark.parametrize("makes_graph", [True, False])
def test_a_slope_of_the_data_is_not_the_gradient_of_the_loss(makes_graph):
    """A loss of slopes alone, as of a network that learns a field, tells of no output; samples that
    an energy's slopes draw come before the loss's pass.
    """
    network = mlp()
    ends = watched(network)
    for _ in range(2):
        for _ in range(3):
            inputs = X.clone().requires_grad_()
            (slope,) = torch.autograd.grad(network(inputs).sum(), inputs, create_graph=makes_graph)
        if makes_graph:
            slope.square().mean().backward()
            assert ends.take().output is None
        else:
            output = network(X)
            F.cross_entropy(output, Y).backward()
            seen = ends.take()
            assert torch.equal(seen.output.values, output.double())
            assert seen.figures["passes"] == 1


def two_networks(gets_data):
    """What is seen of the first two steps of a network that makes data and one that gets these."""
    pair = nn.ModuleDict({"maker": nn.Sequential(nn.Linear(4, 4), nn.Tanh()), "judge": mlp()})
    ends, seen = watched(pair), []
    for _ in range(2):
        made = pair["maker"](X)
        if gets_data:
            pair["judge"](X * 100).sum().backward()
            pair["judge"](made.detach()).sum().backward()
        pair["judge"](made).sum().backward()
        seen.append(ends.take().data)
    return ends.first.wiring, seen


def test_a_network_whose_output_goes_where_data_go_too_is_an_end():
    of_game, of_chain = two_networks(True)[0], two_networks(False)[0]
    both = ["00_tanh_maker.1", "02_linear_judge.2"]
    assert [name for name, each in of_game.items() if each.is_end] == both
    assert [name for name, each in of_chain.items() if each.is_end] == ["02_linear_judge.2"]


def test_data_of_each_call_in_a_step_are_kept():
    for data in two_networks(True)[1]:
        sizes = [float(each.values.abs().max()) for each in data]
        assert len(sizes) == 3  # the maker's too
        assert sizes[1] > 100 * sizes[2]


def test_of_many_calls_in_a_step_the_first_and_the_last_are_kept():
    network = mlp()
    ends = watched(network)
    for _ in range(2):
        for shift in range(6):
            network(X + shift).sum().backward()
        values = [each.values for each in ends.take().data]
        assert [float((each - X).mean().round()) for each in values] == [0, 1, 2, 5]


class OwnNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.gain * x / x.square().mean(-1, keepdim=True).sqrt()


def test_what_a_first_layer_of_ones_own_gives_is_seen_with_its_data_where_it_has_no_matrix():
    for first, told in ((OwnNorm(), True), (nn.Linear(4, 4), False), (nn.Tanh(), False)):
        network = nn.Sequential(first, *mlp())
        ends = watched(network)
        for _ in range(2):
            network(X).sum().backward()
            data = ends.take().data[0]
            assert torch.equal(data.values, X.double())
            assert (data.given is not None) == told
            if told:
                assert torch.equal(data.given.get(), first(X).detach().double())


@pytest.mark.parametrize("reentrant", [True, False])
def test_layers_within_a_checkpoint_that_is_a_function_are_known(reentrant):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.beside = nn.Linear(3, 3), nn.Linear(3, 3)
            self.head = nn.Linear(3, 1)

        def forward(self, x):
            with torch.no_grad():
                beside = self.beside(x)
            hidden = checkpoint(self.body, x, use_reentrant=reentrant)
            return self.head(hidden + beside)

    ends = watched(network := Net())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of it
        network(torch.ones(2, 3)).sum().backward()
    ends.take()
    within = [name for name, known in ends.first.wiring.items() if known.in_checkpoint]
    assert [name[3:] for name in within] == (["body"] if reentrant else [])
