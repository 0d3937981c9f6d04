"""Is it told of a data set that what it keeps is changed as it is read?"""

import math

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset

from layerscope.figures.overwritten_data import OverwrittenData


class Kept(Dataset):
    def __init__(self, x):
        self.x, self.count = x, 3

    def __len__(self):
        return len(self.x)


def rows():
    return torch.randn(64, 8, generator=torch.Generator().manual_seed(0))


def seen(data, change, size=2.0, zeros=0.0, looks=3):
    """What is said of the first look, and of others, in which inputs are of another size."""
    loader, looked = DataLoader(data), OverwrittenData()
    said = [looked.see(1.0, 0.0)]
    for _ in range(looks):
        said.append(looked.see(size, zeros))
        change()
    del loader
    return said


def emptied(x):
    return lambda: x.mul_(torch.rand_like(x) > 0.3)


FORMS = {
    "a tensor": (lambda x: Kept(x)),
    "an array": (lambda x: Kept(x.numpy())),
    "a list": (lambda x: Kept(list(x))),
    "tensors": (lambda x: TensorDataset(x, torch.arange(64))),
    "a part": (lambda x: Subset(Kept(x), range(32))),
    "several": (lambda x: ConcatDataset([Kept(rows()), Kept(x)])),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_becomes_zero_and_what_grows_is_told_however_it_is_kept(form):
    x = rows()
    assert seen(FORMS[form](x), emptied(x), size=1.0, zeros=0.2) == [0, 0, 1, 1]
    x = rows()
    assert seen(FORMS[form](x), lambda: x.mul_(1.5)) == [0, 0, 2, 2]
    assert seen(FORMS[form](x), lambda: x.div_(255), size=0.01) == [0, 0, 2, 2]


def test_it_is_not_told_of_data_that_stay_that_are_replaced_filled_or_change_the_other_way():
    x = rows()
    assert set(seen(Kept(x), lambda: None)) == {0}
    assert set(seen(Kept(x), lambda: x.normal_().mul_(2))) == {0}
    assert set(seen(Kept(x), lambda: x.mul_(0.5))) == {0}  # and the inputs grow
    assert set(seen(Kept(x), lambda: x[:1].mul_(1.5))) == {0}  # eight numbers
    for change in (0.9, 1.1):  # and a mask is what makes the inputs emptier
        assert set(seen(Kept(x), lambda by=change: x.mul_(by), size=1.0, zeros=0.2)) == {0}
    x = torch.zeros(64, 8)
    assert set(seen(Kept(x), lambda: x.fill_(3.0))) == {0}
    x = torch.arange(512).reshape(64, 8)
    assert set(seen(Kept(x), lambda: x.mul_(2))) == {0}


def test_inputs_that_are_as_they_were_start_no_search():
    x = rows()
    assert set(seen(Kept(x), lambda: x.mul_(1.5), size=1.2)) == {0}
    assert set(seen(Kept(x), emptied(x), size=1.0, zeros=0.1)) == {0}
    looked = OverwrittenData()
    assert all(math.isnan(looked.see(size, 0.0)) for size in (0.0, math.nan, math.inf))


def test_a_data_set_that_is_gone_is_no_matter():
    looked = OverwrittenData()
    loader = DataLoader(Kept(rows()))
    assert [looked.see(1.0, 0.0), looked.see(2.0, 0.0)] == [0, 0]
    del loader
    assert looked.see(2.0, 0.0) == 0
    assert np.isfinite(looked.see(2.0, 0.0))
