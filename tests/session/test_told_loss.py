import logging
from decimal import Decimal

import numpy as np
import pytest
import torch

from layerscope.session.door import Door
from layerscope.session.told_loss import ToldLoss


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        (0.5, 0.5),
        (-2, -2.0),
        (True, 1.0),
        (Decimal("0.3"), 0.3),
        (np.float32(0.5), 0.5),
        (np.array(0.5), 0.5),
        ((0.25, 0.75), 0.5),
        (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        (torch.tensor([1, 2]), 1.5),
        (torch.tensor(0.5, requires_grad=True), 0.5),
        (float("inf"), float("inf")),
    ],
)
def test_what_can_be_one_number_is_one(loss, value, caplog):
    scalar = ToldLoss(Door("watch", "")).scalar(loss)
    assert scalar.ndim == 0
    assert float(scalar) == value
    assert not scalar.requires_grad
    assert not caplog.records


@pytest.mark.parametrize(
    "loss",
    [
        {"loss": 0.5},
        "0.5",
        object,
        1j,
        np.complex64(1j),
        10**400,
        [[1.0], [2.0, 3.0]],
        torch.tensor([]),
        torch.ones((), dtype=torch.cfloat),
        torch.ones((), device="meta"),
        torch.ones(2, device="meta"),
        torch.eye(2).to_sparse(),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_what_is_no_number_is_named_once_and_left_out(loss, caplog):
    told = ToldLoss(Door("watch", ""))
    assert told.scalar(loss) is None
    assert told.scalar(loss) is None
    assert [each.levelno for each in caplog.records] == [logging.WARNING]
    assert caplog.messages[0].startswith("watch: the loss must be a number or a tensor of numbers")


def test_what_is_no_number_is_told_by_its_value_and_type(caplog):
    assert ToldLoss(Door("watch", "")).scalar("0.5") is None
    assert "got '0.5', a str; it is not recorded" in caplog.text


def test_no_loss_is_no_fault(caplog):
    assert ToldLoss(Door("watch", "")).scalar(None) is None
    assert not caplog.records
