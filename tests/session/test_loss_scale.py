import torch
from torch.amp import GradScaler

from layerscope.session.told_loss import LossScale


def test_it_is_the_factor_of_when_the_step_began_and_tells_that_the_scaler_has_lowered_it():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scaler = GradScaler("cpu", init_scale=8.0)
    scale = LossScale(scaler)
    scale.begin()
    assert scale.of(torch.tensor(0.5)) == 4
    assert not scale.has_backed_off
    scaler.scale(weight.sum() * torch.inf).backward()
    scaler.step(optimizer)
    scaler.update()
    assert scale.factor == 8
    assert scale.has_backed_off
    scale.begin()
    assert scale.factor == 4
    assert not scale.has_backed_off


def test_without_a_scaler_the_loss_is_as_it_is():
    scale = LossScale(None)
    scale.begin()
    loss = torch.tensor(0.5)
    assert scale.of(loss) is loss
    assert scale.factor is None
    assert not scale.has_backed_off
