"""A backward that does not use the gradient it gets is told from those that do."""

import pytest
import torch
from torch.autograd import Function

from layerscope.record.graph.own_backward import OwnBackward


class Square(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x


class Forgets(Square):
    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x


class Right(Square):
    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 2 * x


class StraightThrough(Square):
    @staticmethod
    def backward(ctx, grad):
        return grad


class TurnedRound(Square):
    @staticmethod
    def backward(ctx, grad):
        return grad.neg() * 0.1


class SignAlone(Square):
    @staticmethod
    def backward(ctx, grad):
        return grad.sign()


class Blocks(Square):
    @staticmethod
    def backward(ctx, grad):
        return torch.zeros_like(grad)


class InPlace(Square):
    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return x.mul_(2)


class AddsInPlace(Square):
    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        x *= 2
        return x


class Draws(Square):
    @staticmethod
    def backward(ctx, grad):
        return torch.rand_like(grad)


CALLS = []


class Counts(Square):
    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        CALLS.append(x)
        return 2 * x


def looked_at(function):
    x = torch.randn(5, requires_grad=True)
    output = function.apply(torch.sin(x)).sum()
    seen = OwnBackward()
    seen.look([output.grad_fn])
    return seen.without_gradient


def test_a_backward_that_gives_its_derivative_alone_is_named():
    assert looked_at(Forgets) == {"Forgets"}


@pytest.mark.parametrize("function", [Right, StraightThrough, TurnedRound, SignAlone, Blocks])
def test_one_that_uses_its_gradient_or_has_none_is_not(function):
    assert looked_at(function) == set()


@pytest.mark.parametrize("function", [InPlace, AddsInPlace, Draws, Counts])
def test_one_that_would_be_noticed_is_not_called(function):
    before = torch.get_rng_state()
    x = torch.randn(5, requires_grad=True)
    torch.set_rng_state(before)
    middle = torch.sin(x)
    output, kept = function.apply(middle), middle.detach().clone()
    seen = OwnBackward()
    seen.look([output.grad_fn])
    assert seen.without_gradient == set()
    assert middle.equal(kept)
    assert torch.get_rng_state().equal(before)
    assert CALLS == []


class Varied(Square):
    @staticmethod
    def backward(ctx, *grads):
        (x,) = ctx.saved_tensors
        return 2 * x


class Nothing(Square):
    @staticmethod
    def backward(ctx, grad):
        return None


@pytest.mark.parametrize(
    ("kind", "term", "told"),
    [
        (Forgets, lambda y: 0.1 * y, True),
        (Varied, lambda y: y / 2, True),
        (Forgets, lambda y: -y, True),
        (Forgets, lambda y: y, False),  # its gradient is 1
        (Forgets, lambda y: y.mean(), False),
        (Forgets, lambda y: y.repeat(2).sum(), True),
        (Right, lambda y: 0.1 * y, False),
        (StraightThrough, lambda y: 0.1 * y, False),
        (Nothing, lambda y: 0.1 * y, False),
    ],
)
@pytest.mark.parametrize("is_over", [False, True])
def test_a_term_of_a_loss_is_told_by_its_code_unless_it_is_added_as_it_is(
    kind, term, told, is_over
):
    output = torch.ones((), requires_grad=True) * 3
    loss = output.square() + term(kind.apply(output))
    if is_over:
        loss.backward()
    seen = OwnBackward()
    seen.look_at_loss(loss.grad_fn, {output.grad_fn})
    assert seen.in_loss == ({kind.__name__} if told else set())
    assert not seen.without_gradient
