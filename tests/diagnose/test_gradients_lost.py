"""Gradients that never come to a step are told of; those that other methods put aside are not."""

import pytest
import torch
from torch import nn

import layerscope
from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program
from tests.usual_step import descend

X, Y = torch.randn(64, 4), torch.randn(64, 1)


def of_loop(step, steps=12):
    """What is found in a loop that does `step(network, optimizer, backward)`."""
    return [finding.rule for finding in found(step, steps)]


def found(step, steps):

    def run(_, watch):
        network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)

        def backward(x=X, part=0):
            loss = (network(x[32 * part : 32 * part + 32]) - Y[32 * part : 32 * part + 32]).square()
            loss.mean().backward()
            return loss.mean()

        with watch(network) as scope:
            for _ in range(steps):
                scope.step(step(network, optimizer, backward))

    return judged(Program("", run), mended=False)


def cleared_between(network, optimizer, backward):
    for part in range(2):
        optimizer.zero_grad(set_to_none=bool(part))
        loss = backward(part=part)
    optimizer.step()
    return loss


def cleared_at_once(network, optimizer, backward):
    for part in range(2):
        loss = backward(part=part)
        if part == 0:
            network.zero_grad()
    optimizer.step()
    optimizer.zero_grad()
    return loss


def set_to_zero_by_its_data(network, optimizer, backward):
    for part in range(2):
        for parameter in network.parameters():
            if parameter.grad is not None:
                parameter.grad.data.zero_()
        loss = backward(part=part)
    optimizer.step()
    return loss


def set_to_zero_between(network, optimizer, backward):
    for part in range(2):
        optimizer.zero_grad(set_to_none=False)
        loss = backward(part=part)
    optimizer.step()
    return loss


def clipped_late(network, optimizer, backward):
    optimizer.zero_grad()
    loss = backward()
    optimizer.step()
    nn.utils.clip_grad_norm_(network.parameters(), 0.01)
    return loss


def of_the_last_part(network, optimizer, backward):
    for part in range(5):
        loss = (network(X[8 * part : 8 * part + 8]) - Y[8 * part : 8 * part + 8]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def of_what_an_agent_saw(network, optimizer, backward):
    """It walks through its world one sample at a time, and nobody tells torch not to follow."""
    for k in range(12):
        network(X[k : k + 1])
    optimizer.zero_grad()
    loss = backward()
    optimizer.step()
    return loss


def of_a_target_of_its_own(network, optimizer, backward):
    target = 0.9 * network(X[:32]).detach() + 0.1 * network(X[32:]).detach()
    optimizer.zero_grad()
    loss = (network(X[:32]) - Y[:32] - target).square().mean()
    loss.backward()
    optimizer.step()
    return loss


def added_up(network, optimizer, backward):
    optimizer.zero_grad()
    loss = backward(part=0) + backward(part=1)
    nn.utils.clip_grad_norm_(network.parameters(), 0.01)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return loss


def sharpness_aware(network, optimizer, backward):
    """Foret et al. 2021: a step up, the gradient there, and back."""
    backward()
    away = [(p, 0.05 * p.grad.sign()) for p in network.parameters()]
    with torch.no_grad():
        for parameter, up in away:
            parameter.add_(up)
    optimizer.zero_grad()
    loss = backward()
    with torch.no_grad():
        for parameter, up in away:
            parameter.sub_(up)
    optimizer.step()
    optimizer.zero_grad()
    return loss


def adversarial(network, optimizer, backward):
    """Goodfellow et al. 2015: the gradient on the inputs makes them harder."""
    inputs = X.clone().requires_grad_()
    backward(inputs)
    optimizer.zero_grad()
    loss = backward(X + 0.1 * inputs.grad.sign())
    optimizer.step()
    optimizer.zero_grad()
    return loss


def surgery(network, optimizer, backward):
    """Yu et al. 2020: of the gradients of several tasks one is made."""
    of_tasks = []
    for part in range(2):
        optimizer.zero_grad()
        loss = backward(part=part)
        of_tasks.append([p.grad.clone() for p in network.parameters()])
    for parameter, *gradients in zip(network.parameters(), *of_tasks, strict=True):
        parameter.grad = torch.stack(gradients).mean(0)
    optimizer.step()
    return loss


def added_up_to_zero(network, optimizer, backward):
    """Nobody clears what is zero by itself, as the gradient of dead units."""
    optimizer.zero_grad()
    for _ in range(2):
        loss = 0.0 * network(X).mean()
        loss.backward()
    optimizer.step()
    return loss


def set_to_zero_as_of_old(network, optimizer, backward):
    """As loops without `zero_grad` do it: torch counts no change of what `.data` gives."""
    for parameter in network.parameters():
        if parameter.grad is not None:
            parameter.grad.data.zero_()
    loss = backward()
    optimizer.step()
    return loss


def set_to_zero_of_two(network, optimizer, backward):
    """Likewise, with an optimizer for each half of the network."""
    halves = [torch.optim.SGD(layer.parameters(), lr=0.01) for layer in network[::2]]
    TWO.setdefault(id(network), halves)
    for parameter in network.parameters():
        if parameter.grad is not None:
            parameter.grad.data.zero_()
    loss = backward()
    for each in TWO[id(network)]:
        each.step()
    return loss


TWO = {}


def set_to_zero_before_the_step(network, optimizer, backward):
    loss = backward()
    optimizer.zero_grad(set_to_none=False)
    optimizer.step()
    return loss


class Cell(nn.Module):
    """A recurrence that the loop steps through, as in PyTorch's tutorial on names."""

    def __init__(self):
        super().__init__()
        self.of_input, self.of_state, self.head = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 1)

    def forward(self, x, state):
        state = torch.tanh(self.of_input(x) + self.of_state(state))
        return self.head(state), state


@pytest.mark.parametrize("cut", [False, True])
def test_calls_that_a_later_one_goes_on_from_are_learned_from(cut, tmp_path):
    """Unless the state is cut off between them: then only the last is."""
    torch.manual_seed(0)
    network, series = Cell(), torch.randn(6, 16, 4)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    with layerscope.watch(network, tmp_path, images=False, summary=False) as scope:
        for _ in range(30):
            state = torch.zeros(16, 8)
            for x in series:
                output, state = network(x, state.detach() if cut else state)
            descend(scope, optimizer, (output - series[:, :, :1].sum(0)).square().mean())
    assert ("gradients_lost" in [finding.rule for finding in scope.findings]) == cut


CASES = (
    cleared_between,
    cleared_at_once,
    set_to_zero_between,
    set_to_zero_by_its_data,
    clipped_late,
    of_the_last_part,
)


@pytest.mark.parametrize("step", CASES)
def test_what_does_not_come_to_a_step_is_told_of(step):
    assert of_loop(step) == ["gradients_lost"]


ON_PURPOSE = (
    *(added_up, sharpness_aware, adversarial, surgery),
    *(of_what_an_agent_saw, of_a_target_of_its_own),
)


@pytest.mark.parametrize("step", [*ON_PURPOSE, set_to_zero_as_of_old, set_to_zero_of_two])
def test_gradients_that_are_put_aside_on_purpose_are_not(step):
    assert of_loop(step) == []


def test_gradients_that_are_set_to_zero_before_the_step_are_told_of_as_such():
    finding, *_ = found(set_to_zero_before_the_step, steps=30)
    assert finding.rule == "no_gradient"
    assert "optimizer.zero_grad() before loss.backward()" in finding.remedy


def test_gradients_that_are_zero_by_themselves_are_not_cleared():
    assert "gradients_lost" not in of_loop(added_up_to_zero)


class Decoder(nn.Module):
    """Projects what it is given beside its data, and adds the two up."""

    def __init__(self):
        super().__init__()
        self.of_data, self.of_given, self.head = nn.Linear(4, 8), nn.Linear(3, 8), nn.Linear(8, 1)

    def forward(self, x, given):
        return self.head(torch.tanh(self.of_data(x) + self.of_given(given)))


class Conditioned(nn.Module):
    """Convolutions of a picture and of a map beside it."""

    def __init__(self):
        super().__init__()
        self.first, self.beside = (nn.Conv2d(1, 4, 3, padding=1) for _ in range(2))
        self.head = nn.Linear(4, 1)

    def forward(self, x, given):
        maps = torch.tanh(self.first(x) + self.beside(given))
        return self.head(maps.mean((2, 3)))


@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize(
    ("network", "x", "given", "name"),
    [
        (Decoder, X, torch.randn(64, 3), "of_given"),
        (Conditioned, torch.randn(64, 1, 6, 6), torch.randn(64, 1, 6, 6), "beside"),
    ],
)
def test_a_layer_that_is_fed_zeros_is_told_that_its_inputs_are_0(
    network, x, given, name, zeros, tmp_path
):
    torch.manual_seed(0)
    network = network()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    given = torch.zeros_like(given) if zeros else given
    with layerscope.watch(network, tmp_path, images=False, summary=False) as scope:
        for _ in range(40):
            descend(scope, optimizer, (network(x, given) - Y).square().mean())
    told = [finding for finding in scope.findings if finding.rule == "no_gradient"]
    assert [name in finding.layer for finding in told] == [True] * zeros
    assert all("all of its inputs are 0" in finding.explanation for finding in told)


@pytest.mark.parametrize(
    ("move", "told"), [(lambda each: 1.0, True), (lambda each: each.grad, False)]
)
def test_biases_that_all_move_by_one_number_are_told_of(move, told):
    def run(_, watch):
        network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        with watch(network) as scope:
            for _ in range(60):
                loss = (network(X) - Y).square().mean()
                loss.backward()
                with torch.no_grad():
                    for each in network.parameters():
                        each -= 0.01 * (move(each) if each.ndim == 1 else each.grad)
                        each.grad = None
                scope.step(loss)

    lost = [each for each in judged(Program("", run), False) if each.rule == "gradients_lost"]
    assert bool(lost) == told
    assert not told or "do not use the gradient" in lost[0].explanation
