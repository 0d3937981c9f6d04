"""Entries of lists that are one and the same module."""

from torch import nn

from layerscope.record.network.repeated_modules import repeated_modules


def counts(network):
    found = repeated_modules(network)
    return found["modules_repeated"], found["statistics_repeated"]


def block(norm=None):
    return nn.Sequential(nn.Linear(4, 4), norm or nn.LayerNorm(4), nn.ReLU())


def test_a_list_of_one_block_n_times_has_all_entries_but_one_of_another():
    assert counts(nn.ModuleList([block()] * 4)) == (3, 0)
    assert counts(nn.Sequential(nn.Linear(2, 4), *[block()] * 3)) == (2, 0)
    assert counts(nn.ModuleDict(dict.fromkeys("abc", block()))) == (2, 0)
    assert counts(nn.ModuleList([block() for _ in range(4)])) == (0, 0)


def test_it_is_told_where_such_a_block_keeps_running_statistics():
    assert counts(nn.ModuleList([block(nn.BatchNorm1d(4))] * 4)) == (3, 3)
    silent = nn.BatchNorm1d(4, track_running_stats=False)
    assert counts(nn.ModuleList([block(silent)] * 4)) == (3, 0)


def test_functions_and_other_names_of_a_module_may_well_be_one_object():
    function, layer = nn.ReLU(), nn.Linear(4, 4)
    assert counts(nn.Sequential(nn.Linear(4, 4), function, nn.Linear(4, 4), function)) == (0, 0)
    two = nn.Sequential(layer, nn.Sequential(nn.Tanh(), layer))
    two.register_module("head", None)
    assert counts(two) == (0, 0)
    tied = nn.Module()
    tied.encoder = tied.decoder = layer
    assert counts(tied) == (0, 0)


class Gated(nn.Module):
    def __init__(self, linear, norm):
        super().__init__()
        self.linear, self.norm = linear, norm


def test_a_batch_normalisation_in_several_layers_of_a_kind_is_shared():
    def shared(*modules):
        return repeated_modules(nn.ModuleList(modules))["norms_shared"]

    linear, norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
    one = Gated(linear, norm)
    assert shared(one, Gated(nn.Linear(4, 4), norm), Gated(linear, norm)) == 1
    assert shared(one, Gated(linear, nn.BatchNorm1d(4))) == 0  # the weights alone
    assert shared(one, nn.Sequential(one), norm) == 0
    assert shared(nn.Sequential(linear, norm), nn.Sequential(norm)) == 0  # a slice
    assert shared(*(Gated(linear, nn.LayerNorm(4)) for _ in range(2))) == 0
