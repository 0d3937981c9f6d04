"""Cells whose states are detached at each step are told from those that hand them on."""

import pytest
import torch
from torch import nn

from layerscope.record.ends.recurrent_layers import DetachedStates

X = torch.randn(6, 5, 4)


def called(cell, cut, steps=5, backward_every=0, x=X):
    """Whether they are taken for detached after some steps, between which cut(t, state) is done."""
    states = DetachedStates()
    given = (torch.zeros(6, 8),) * (2 if isinstance(cell, nn.LSTMCell) else 1)
    given = given if len(given) > 1 else given[0]
    for t in range(steps):
        inputs = (x[:, t], given)
        output = cell(*inputs)
        states.note(cell, inputs, output)
        given = cut(t, output)
        if backward_every and t % backward_every == 0:
            states.forget()
    return states.are_detached


def detached(_, state):
    return state.detach() if isinstance(state, torch.Tensor) else tuple(h.detach() for h in state)


@pytest.mark.parametrize("cell", [nn.LSTMCell(4, 8), nn.GRUCell(4, 8), nn.RNNCell(4, 8)])
def test_states_that_are_detached_at_each_step_are_told_of(cell):
    assert called(cell, detached)
    assert not called(cell, lambda _, state: state)


@pytest.mark.parametrize(
    "cut",
    [
        lambda t, state: state.detach() if t == 2 else state,
        lambda t, state: state if t == 0 else state.detach(),
        lambda t, state: state.detach().clone() if t % 2 else torch.zeros(6, 8),
    ],
)
def test_states_that_are_cut_now_and_then_or_begin_anew_are_not(cut):
    assert not called(nn.GRUCell(4, 8), cut)


def test_three_states_in_a_row_are_asked_for():
    assert called(nn.GRUCell(4, 8), detached, steps=4)
    assert not called(nn.GRUCell(4, 8), detached, steps=3)


def test_states_that_are_cut_between_backward_passes_are_not():
    assert not called(nn.GRUCell(4, 8), detached, backward_every=1)


def test_a_cell_that_nobody_trains_or_of_a_pass_without_gradients_is_not():
    frozen = nn.GRUCell(4, 8).requires_grad_(False)
    assert not called(frozen, detached)
    assert not called(frozen, detached, x=X.clone().requires_grad_())
    with torch.no_grad():
        assert not called(nn.GRUCell(4, 8), detached)


@pytest.mark.parametrize(
    ("batch_first", "cut"),
    [
        (True, lambda length: X[:, :length]),
        (False, lambda length: X[:, :length].transpose(0, 1)),
        (True, lambda length: X[0, :length]),  # of a single sequence
    ],
)
def test_layers_are_judged_where_they_take_one_step_at_a_time(batch_first, cut):
    def is_told(length):
        layer, states, state = nn.GRU(4, 8, batch_first=batch_first), DetachedStates(), None
        for _ in range(5):
            inputs = (cut(length),) if state is None else (cut(length), state)
            output = layer(*inputs)
            states.note(layer, inputs, output)
            state = output[1].detach()
        return states.are_detached

    assert is_told(1)
    assert not is_told(5)


@pytest.mark.parametrize("layer", [nn.LSTM(4, 8), nn.GRUCell(4, 8)])
def test_what_is_given_by_keyword_alone_is_not_known(layer):
    states = DetachedStates()
    states.note(layer, (), layer(input=torch.randn(1, 4)))
    assert not states.are_detached
