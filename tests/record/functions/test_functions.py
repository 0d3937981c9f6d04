import functools

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

import layerscope
from layerscope.record import Recorder, choose_layers
from layerscope.record.attention.attention import Attention
from layerscope.record.functions.function_layers import FunctionLayers
from layerscope.record.functions.functions import Functions
from layerscope.record.functions.functions_seen import FunctionsSeen
from layerscope.record.hooks.stand_aside import StandAside
from layerscope.record.network.activation_calls import ACTIVATION_CALLS
from layerscope.record.network.dropout_calls import DropoutCalls
from layerscope.record.network.nonlinearities import nonlinearity_named
from layerscope.record.routers import Routers
from layerscope.record.search import Search


def modes():
    return torch._C._len_torch_function_stack()


class Watched:
    """A network, its recorder, and what sees its functions."""

    def __init__(self, network, choice=None):
        self.network = network
        self.recorder = Recorder(choose_layers(network), network=network)
        self.layers = FunctionLayers(network, self.recorder, choice)
        self.reached, self.attention, self.routers = [], Attention(), Routers(network)
        self.dropouts = DropoutCalls(network)
        seen = FunctionsSeen(
            self.layers,
            self.recorder.state,
            lambda layer, output: self.reached.append(layer.name),
            self.attention,
            self.routers,
            self.dropouts,
        )
        self.functions = Functions(network, seen)
        self.at = 0

    def __enter__(self):
        self.recorder.attach()
        self.functions.attach()
        return self

    def __exit__(self, *error):
        self.recorder.detach()
        self.functions.detach()

    def step(self, *inputs, search=Search.NONE, backward=True):
        """Measured moments by quantity and layer of one step."""
        self.recorder.state.counting = True
        self.functions.begin(search, search)
        output = self.network(*inputs)
        if backward:
            output.sum().backward()
        self.recorder.state.counting = False
        observation = self.recorder.observe(self.at)
        self.at += 1
        return {
            (channel.quantity.value, channel.layer): moments
            for channel, moments in observation.moments().items()
        }

    def names(self):
        return [layer.name for layer in self.recorder.hooked.layers if layer.function]


class Block(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.fc, self.proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        return x + self.proj(F.gelu(self.fc(x)))


class Net(nn.Module):
    def __init__(self, depth=2, width=4):
        super().__init__()
        self.fcs = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.block = Block(width)
        self.act = nn.ReLU()

    def forward(self, x):
        for fc in self.fcs:
            x = torch.tanh(fc(x))
        x = self.act(x)
        x = self.block(x).sigmoid()
        return x.softmax(-1)


def test_functions_are_layers_named_by_the_module_that_calls_them_and_the_layer_before():
    with Watched(Net()) as watched:
        moments = watched.step(torch.randn(5, 4))
    assert watched.names() == [
        "00_net/tanh",
        "01_net/tanh",
        "02_block/gelu",
        "03_net/sigmoid",
        "03_net/softmax",
    ]
    assert watched.reached == [
        "00_net/tanh",
        "01_net/tanh",
        "02_block/gelu",
        "03_net/sigmoid",
        "03_net/softmax",
    ]
    for name in watched.names():
        assert moments["activation", name].count == 20
        assert moments["activation_grad", name].count == 20


def test_what_is_measured_is_what_the_function_gave():
    net = Net()
    x = torch.randn(5, 4)
    with Watched(net) as watched:
        watched.step(x)
        moments = watched.step(x)  # by now only in the modules that call functions
    hidden = torch.tanh(net.fcs[0](x)).detach()
    assert moments["activation", "00_net/tanh"].mean == pytest.approx(float(hidden.mean()), 1e-5)
    hidden = net.act(torch.tanh(net.fcs[1](hidden)))
    expected = F.gelu(net.block.fc(hidden)).detach()
    assert moments["activation", "02_block/gelu"].mean == pytest.approx(
        float(expected.mean()), 1e-5
    )


def test_from_the_second_step_on_only_modules_that_call_functions_have_hooks():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.block = nn.Linear(4, 4), Block()

        def forward(self, x):
            return self.block(self.first(x))

    net = Outer()
    with Watched(net) as watched:
        watched.step(torch.randn(5, 4))
        watched.functions.begin(True)  # there is no attention to look at
        assert len(net.block._forward_pre_hooks) == 1
        assert not net._forward_pre_hooks
        assert not net.first._forward_pre_hooks
        assert watched.step(torch.randn(5, 4))["activation", "01_block/gelu"].count == 20
    assert not net.block._forward_pre_hooks


def test_a_loop_over_time_is_one_layer_and_another_line_is_another():
    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            h = x
            for _ in range(6):
                z = self.linear(h)
                h = torch.tanh(z) * z.tanh()
            return h

    with Watched(Cell()) as watched:
        moments = watched.step(torch.randn(5, 4))
    assert watched.names() == ["00_cell/tanh", "00_cell/tanh_1"]
    assert moments["activation", watched.names()[0]].count == 6 * 20


def test_the_functions_inside_activation_modules_are_not_seen_twice():
    class Own(nn.Module):
        def forward(self, x):
            return F.relu(x) ** 2

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.gelu, self.own = nn.Linear(4, 4), nn.GELU(), Own()

        def forward(self, x):
            return self.own(self.gelu(self.linear(x))).relu()

    with Watched(Both()) as watched:
        watched.step(torch.randn(5, 4))
    assert watched.names() == ["02_both/relu"]


def test_a_branch_that_is_taken_later_is_seen_from_the_next_searched_step_on():
    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.on = nn.Linear(4, 4), False

        def forward(self, x):
            x = torch.tanh(self.linear(x))
            return torch.sigmoid(x) if self.on else x

    net = Late()
    with Watched(net) as watched:
        watched.step(torch.randn(5, 4))
        net.on = True
        watched.step(torch.randn(5, 4))
        assert watched.names() == ["00_late/tanh"]
        moments = watched.step(torch.randn(5, 4), search=Search.CALLED)
    assert moments["activation", "00_late/sigmoid"].count == 20


def test_a_module_that_is_called_from_outside_later_is_seen_where_all_modules_are_searched():
    net = nn.ModuleDict({"first": nn.Linear(4, 4), "later": Block()})
    with Watched(net) as watched:
        for search in (Search.CALLED, Search.CALLED, Search.ALL):
            watched.recorder.state.counting = True
            watched.functions.begin(True, search)
            x = net["first"](torch.randn(5, 4))
            if watched.at:
                x = net["later"](x)
            x.sum().backward()
            watched.at += 1
            assert watched.names() == (["01_later/gelu"] if search is Search.ALL else [])


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpoint_that_computes_again_counts_outputs_once_and_finds_their_gradients(reentrant):
    class Kept(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.block = nn.Linear(4, 4), Block()

        def forward(self, x):
            return checkpoint(self.block, self.first(x), use_reentrant=reentrant)

    with Watched(Kept()) as watched:
        for _ in range(2):
            moments = watched.step(torch.randn(5, 4))
            (name,) = watched.names()
            assert moments["activation", name].count == 20
            assert moments["activation_grad", name].count == 20
        assert modes() == 0


def test_the_mode_is_off_after_an_exception_and_after_ctrl_c():
    class Failing(nn.Module):
        error = None

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            x = torch.tanh(self.linear(x))
            if self.error is not None:
                raise self.error
            return x

    net = Failing()
    with Watched(net) as watched:
        watched.step(torch.randn(5, 4))
        net.error = ValueError("no")
        with pytest.raises(ValueError, match="no"):
            watched.step(torch.randn(5, 4))
        assert modes() == 0
        net.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            watched.step(torch.randn(5, 4))
        net.error = None
        assert ("activation", "00_failing/tanh") in watched.step(torch.randn(5, 4))
        assert modes() == 0
        net.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            watched.step(torch.randn(5, 4))
    assert modes() == 0


def test_a_mode_that_a_forward_leaves_on_stays_on():
    class Mode(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    class Entering(Block):
        def forward(self, x):
            torch.overrides._push_mode(mode)
            return super().forward(x)

    mode = Mode()
    with Watched(Entering()) as watched:
        watched.step(torch.randn(5, 4))
        assert modes() == 1
        assert torch.overrides._pop_mode() is mode


def test_nothing_is_seen_in_evaluation_mode_or_while_nobody_counts():
    net = Net()
    with Watched(net) as watched:
        net.eval()
        watched.step(torch.randn(5, 4))
        assert watched.names() == []
        net.train()
        net(torch.randn(5, 4))
        assert watched.names() == []
        watched.step(torch.randn(5, 4))
        assert len(watched.names()) == 5


def test_a_regular_expression_chooses_functions_and_classes_choose_none():
    for choice, expected in (("gelu$", ["02_block/gelu"]), (r"^[^/]*$", []), (nn.Linear, [])):
        with Watched(Net(), choice) as watched:
            watched.step(torch.randn(5, 4))
        assert watched.names() == expected


def test_a_frozen_encoder_computes_its_fused_path_as_without_us():
    class Headed(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
            self.head = nn.Linear(8, 8)

        def forward(self, x):
            self.encoder.eval()
            with torch.no_grad():
                self.kept = self.encoder(F.relu(x))
            return torch.tanh(self.head(self.kept))

    torch.manual_seed(0)
    net, x = Headed(), torch.randn(3, 5, 8)
    net(x)
    alone = net.kept
    calls = []
    fused = torch._transformer_encoder_layer_fwd
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            torch, "_transformer_encoder_layer_fwd", lambda *a: calls.append(1) or fused(*a)
        )
        with StandingAside(net) as watched:
            for _ in range(2):
                watched.step(x)
                assert torch.equal(net.kept, alone)
    assert len(calls) == 2
    number = watched.recorder.hooked.layers[-2].name.partition("_")[0]
    assert watched.names() == ["00_headed/relu", f"{number}_headed/tanh"]


class StandingAside(Watched):
    """With what takes hooks off where torch would compute otherwise for them."""

    def __enter__(self):
        super().__enter__()
        self.aside = StandAside(self.network)
        self.aside.attach()
        return self

    def __exit__(self, *error):
        self.aside.detach()
        super().__exit__(*error)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_tracing_a_watched_network_sees_nothing_of_us():
    net, x = Net().train(), torch.randn(5, 4)
    with Watched(net) as watched:
        watched.recorder.state.counting = True
        traced = torch.jit.trace(net, x, check_trace=False)
        assert watched.names() == []
    assert torch.equal(traced(x), net(x))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's own
def test_the_mode_gives_way_before_a_function_of_the_forward_is_compiled():
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    @torch.compile(backend=backend)
    def compiled(x):
        return torch.tanh(x) * x.sigmoid()

    class Partly(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            return compiled(F.relu(self.linear(x)))

    torch._dynamo.reset()
    with Watched(Partly()) as watched:
        for _ in range(3):
            watched.step(torch.randn(5, 4))
    assert len(graphs) == 1  # whole, and not compiled again
    assert "compile" in watched.recorder.not_measured()["00_partly/relu"]


def test_a_recursion_has_an_end():
    class Recursive(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x):
            return self.deeper(self.linear(x), 300)

        def deeper(self, x, left):
            return self.deeper(torch.tanh(x), left - 1) if left else x

    with Watched(Recursive()) as watched:
        watched.step(torch.randn(5, 4))
    assert len(watched.names()) == 256


def test_ranks_that_meet_different_functions_come_to_the_same_layers():
    class Forked(nn.Module):
        def __init__(self, function):
            super().__init__()
            self.linear, self.function = nn.Linear(4, 4), function

        def forward(self, x):
            return self.function(self.linear(x))

    ranks = [Watched(Forked(torch.tanh)), Watched(Forked(torch.sigmoid))]
    for rank in ranks:
        with rank:
            rank.recorder.state.counting = True
            rank.functions.begin(True, Search.CALLED)
            rank.network(torch.randn(5, 4)).sum().backward()
    functions = [each for rank in ranks for each in rank.recorder.hooked.functions()]
    outputs = [each for rank in ranks for each in rank.recorder.hooked.found()]
    for rank in ranks:
        rank.layers.meet_others(functions)
        rank.recorder.settle(outputs)
    channels = [rank.recorder.plan.channels for rank in ranks]
    assert channels[0] == channels[1]
    assert {c.layer for c in channels[0]} == {"00_linear", "00_forked/tanh", "00_forked/sigmoid"}
    with ranks[0] as first:
        first.network.function = torch.sigmoid
        assert first.step(torch.randn(5, 4), search=Search.CALLED)[
            "activation", "00_forked/sigmoid"
        ].count


def test_every_function_that_is_seen_has_a_known_shape():
    assert (
        ACTIVATION_CALLS[F.relu]
        == ACTIVATION_CALLS[torch.relu]
        == ACTIVATION_CALLS[torch.Tensor.relu_]
        == "relu"
    )
    assert ACTIVATION_CALLS[F.silu] == "silu"
    for name in set(ACTIVATION_CALLS.values()):
        nonlinearity_named(name.replace("_", ""))


def test_the_bounds_of_a_hardtanh_are_those_of_its_call():
    class Clipping(Block):
        def forward(self, x):
            return F.hardtanh(self.fc(x), 0, max_val=20)

    with Watched(Clipping()) as watched:
        watched.step(torch.randn(5, 4))
    (layer,) = [each for each in watched.recorder.hooked.layers if each.function]
    assert layer.nonlinearity.bounds == (0.0, 20.0)


def train(net, watched, folder, steps=8):
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    with layerscope.watch(net, folder, summary=False) if watched else torch.enable_grad() as w:
        for _ in range(steps):
            loss = F.dropout(net(torch.randn(5, 4)), 0.2).square().mean()
            loss.backward()
            optimizer.step()
            if watched:
                w.step(loss)
            optimizer.zero_grad()
    return w


@pytest.mark.parametrize("make", [Net, functools.partial(Net, depth=4)])
def test_weights_and_random_state_are_those_of_a_training_that_nobody_watches(tmp_path, make):
    ends = []
    for watched in (False, True):
        torch.manual_seed(0)
        net = make()
        watcher = train(net, watched, tmp_path)
        ends.append((net.state_dict(), torch.get_rng_state()))
    assert watcher.failure is None
    for name, weight in ends[0][0].items():
        assert torch.equal(weight, ends[1][0][name]), name
    assert torch.equal(ends[0][1], ends[1][1])


def test_the_figures_of_a_function_are_in_the_first_record_of_a_run(tmp_path):
    train(Net(), True, tmp_path)
    figures = layerscope.read(tmp_path).figures
    at = [facts.name for facts in figures.layers].index("00_net/tanh")
    assert figures["activation_count"][:, at].tolist() == [20.0] * 8
    facts = figures.layers[at]
    assert (facts.nonlinearity, facts.odd, facts.module) == ("tanh", True, "tanh")
    assert facts.on_trunk
    gelu = next(facts for facts in figures.layers if facts.name.endswith("gelu"))
    assert not gelu.on_trunk  # a residual goes past it


class Own(nn.Module):
    """Uses its parameters in one way each."""

    def __init__(self):
        super().__init__()
        for name in ("plain", "data", "detached", "for_nothing"):
            self.register_parameter(name, nn.Parameter(torch.randn(4, 4)))

    def forward(self, x):
        with torch.no_grad():
            self.for_nothing.detach().mul_(0.9)
        return x @ self.plain @ self.data.data @ self.detached.detach()


def test_parameters_that_a_forward_pass_detaches_are_known_unless_under_no_grad():
    with Watched(Own()) as watched:
        watched.step(torch.randn(5, 4))
    network = watched.network
    assert watched.recorder.state.cut_off == {id(network.data), id(network.detached)}
