"""What is seen of attention, beside the slow way in float64."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

from layerscope.record.attention.attention import Attention
from layerscope.record.attention.heads import PER_HEAD
from layerscope.record.attention.logits import SAMPLE
from layerscope.record.search import Search
from tests.record.functions.test_functions import Watched

sdpa = F.scaled_dot_product_attention


def slow(logits, seen, query=None, key=None):
    """Of logits [batch, heads, rows, keys] and what may be seen of them, row by row."""
    figures = {name: [] for name in PER_HEAD}
    batch, heads, rows, _ = logits.shape
    for head in range(heads):
        largest, entropies, ones = [], [], []
        for b in range(batch):
            for row in range(rows):
                z = logits[b, head, row].double()[seen[b, head, row]]
                if len(z):
                    largest.append(float(z.max()))
                if len(z) > 1:
                    p = z.softmax(0)
                    entropies.append(float(-(p * p.log()).nan_to_num(0).sum()) / math.log(len(z)))
                    ones.append(float(p.max() > 0.99))
        figures["logit"].append(max(largest))
        figures["entropy"].append(np.mean(entropies))
        figures["one_token"].append(np.mean(ones))
        for name, tensor in (("query_rms", query), ("key_rms", key)):
            of_head = math.nan if tensor is None else tensor[:, head].double().square().mean()
            figures[name].append(float(of_head) ** 0.5)
    return figures


def assert_close(heads, expected, tolerance=1e-3):
    for name in PER_HEAD:
        np.testing.assert_allclose(
            getattr(heads, name), expected[name], rtol=tolerance, atol=tolerance, err_msg=name
        )


def look(call, *args, exact=True, **kwargs):
    attention = Attention()
    attention.begin(exact)
    return attention.measure(call, args, kwargs, None)


def projected(batch=3, heads=4, rows=7, keys=9, width=8, groups=None, size=2.0):
    shape = (batch, groups or heads, keys, width)
    return size * torch.randn(batch, heads, rows, width), size * torch.randn(shape)


def everything(q, k):
    return torch.ones(*q.shape[:-1], k.shape[-2], dtype=torch.bool)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_fused_attention_is_as_computed_slowly_in_any_type(dtype):
    torch.manual_seed(0)
    q, k = (each.to(dtype) for each in projected())
    logits = q.double() @ k.double().transpose(-1, -2) / 8**0.5
    assert_close(look(sdpa, q, k, k), slow(logits, everything(q, k), q, k))


def test_masks_of_a_fused_attention_leave_keys_out():
    torch.manual_seed(0)
    q, k = projected()
    logits = q @ k.transpose(-1, -2) / 8**0.5
    seen = torch.rand(3, 1, 7, 9) < 0.6
    seen[0, 0, :2] = False  # rows that see nothing
    seen[1, 0, 3] = torch.arange(9) == 2  # and one that sees one key
    every = seen.expand(3, 4, 7, 9)
    assert_close(look(sdpa, q, k, k, attn_mask=seen), slow(logits, every, q, k))
    for low in (-math.inf, -1e9, torch.finfo(torch.float32).min):
        added = torch.zeros(3, 1, 7, 9).masked_fill(~seen, low)
        assert_close(look(sdpa, q, k, k, added), slow(logits, every, q, k))
    near = -0.5 * (torch.arange(7)[:, None] - torch.arange(9)).abs()  # ALiBi's
    assert_close(look(sdpa, q, k, k, near), slow(logits + near, everything(q, k), q, k))
    causal = torch.ones(7, 9, dtype=torch.bool).tril().expand(3, 4, 7, 9)
    assert_close(look(sdpa, q, k, k, is_causal=True), slow(logits, causal, q, k))


def test_groups_of_heads_share_keys_and_a_scale_is_kept():
    torch.manual_seed(0)
    q, k = projected(groups=2)
    many = k.repeat_interleave(2, 1)
    logits = q @ many.transpose(-1, -2) * 0.7
    found = look(sdpa, q, k, k, scale=0.7, enable_gqa=True)
    assert_close(found, slow(logits, everything(q, many), q, many))


def test_three_axes_are_one_head_and_more_than_four_a_larger_batch():
    torch.manual_seed(0)
    q, k = projected(heads=1)
    logits = q @ k.transpose(-1, -2) / 8**0.5
    expected = slow(logits, everything(q, k), q, k)
    assert_close(look(sdpa, q[:, 0], k[:, 0], k[:, 0]), expected)
    q, k = projected(batch=6)
    expected = slow(q @ k.transpose(-1, -2) / 8**0.5, everything(q, k), q, k)
    five = [each.unflatten(0, (2, 3)) for each in (q, k)]
    mask = torch.ones(2, 3, 1, 7, 9, dtype=torch.bool)
    assert_close(look(sdpa, *five, five[1], mask), expected)


def test_large_logits_lose_no_entropy_to_rounding():
    torch.manual_seed(0)
    q, k = projected()
    k[:, :, 1:] = k[:, :, :1] + 1e-4 * torch.randn(3, 4, 8, 8)  # all alike, and far from 0
    q, k = (40 * each.double() for each in (q, k))
    q, k = q.float(), k.float()
    logits = q.double() @ k.double().transpose(-1, -2) / 8**0.5
    assert_close(look(sdpa, q, k, k), slow(logits, everything(q, k), q, k), 2e-3)


def test_not_finite_rows_are_left_out():
    q, k = projected()
    q[0, 0, 0, 0], q[1, 1, 2, 0] = math.nan, math.inf
    found = look(sdpa, q, k, k)
    assert np.isfinite(found.entropy).all()
    assert np.isfinite(found.logit).all()


def test_a_sample_has_so_many_rows_of_a_head_and_an_exact_look_all():
    q, k = projected(batch=20, rows=50)
    assert look(sdpa, q, k, k, exact=False).table[1].max() <= SAMPLE
    assert (look(sdpa, q, k, k).table[1] == 1000).all()
    sample = look(sdpa, q, k, k, exact=False)
    np.testing.assert_allclose(sample.entropy, look(sdpa, q, k, k).entropy, atol=0.15)
    for batch, rows in ((1, 1), (1, 500), (9, 1), (64, 3)):
        q, k = projected(batch=batch, rows=rows)
        assert 0 < look(sdpa, q, k, k, exact=False).table[1].max() <= SAMPLE


def test_an_exact_look_at_more_than_fits_goes_in_parts(monkeypatch):
    torch.manual_seed(0)
    q, k = projected(batch=2, rows=30, keys=40)
    whole = look(sdpa, q, k, k, is_causal=True)
    for elements in (1, 4 * 40 * 7, 4 * 40 * 40):
        monkeypatch.setattr("layerscope.record.attention.logits._ELEMENTS", elements)
        parts = look(sdpa, q, k, k, is_causal=True)
        np.testing.assert_allclose(parts.table, whole.table, rtol=1e-5)


class Attending(nn.Module):
    """nn.MultiheadAttention with whatever is asked of it."""

    def __init__(self, how, width=8, heads=2, **made):
        super().__init__()
        self.attend, self.how = nn.MultiheadAttention(width, heads, **made), how
        nn.init.normal_(self.attend.in_proj_bias) if self.attend.in_proj_bias is not None else None

    def forward(self, *given):
        return self.attend(*given, **self.how)[0]


def seen_in(network, *inputs, name=None):
    """The heads of a network's only attention, in its first step, which is looked at."""
    with Watched(network) as watched:
        watched.step(*inputs, search=Search.CALLED)
    (found,) = watched.attention.take().items()
    assert name in (None, found[0])
    return found[1]


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("masks", ["none", "bool", "float", "causal"])
def test_multihead_attention_is_as_computed_slowly(need_weights, batch_first, masks):
    torch.manual_seed(0)
    how = {"need_weights": need_weights}
    seen = torch.ones(3, 1, 5, 5, dtype=torch.bool)
    if masks == "bool":
        how["attn_mask"] = torch.eye(5, dtype=torch.bool)
        how["key_padding_mask"] = torch.arange(5) > torch.tensor([[4], [2], [0]])
        seen = ~how["attn_mask"] & ~how["key_padding_mask"][:, None, None]
    elif masks == "float":
        how["attn_mask"] = torch.full((6, 5, 5), -math.inf).triu(1)
        seen = torch.ones(5, 5, dtype=torch.bool).tril()[None, None].expand(3, 1, 5, 5)
    elif masks == "causal":
        how["attn_mask"] = nn.Transformer.generate_square_subsequent_mask(5)
        how["is_causal"] = True
        seen = torch.ones(5, 5, dtype=torch.bool).tril()[None, None].expand(3, 1, 5, 5)
    network = Attending(how, batch_first=batch_first)
    x = 3 * torch.randn(3, 5, 8)
    inputs = x if batch_first else x.transpose(0, 1)
    q, k, _ = (
        F.linear(x, network.attend.in_proj_weight, network.attend.in_proj_bias)
        .double()
        .chunk(3, -1)
    )
    q, k = (each.unflatten(-1, (2, 4)).transpose(1, 2).detach() for each in (q, k))
    expected = slow(q @ k.transpose(-1, -2) / 2, seen.expand(3, 2, 5, 5), q, k)
    assert_close(seen_in(network, inputs, inputs, inputs, name="00_attend/attention"), expected)


def test_multihead_attention_with_keys_of_its_own_and_without_a_batch():
    torch.manual_seed(0)
    made = {"add_bias_kv": True, "add_zero_attn": True, "kdim": 6, "vdim": 6}
    padding = torch.tensor([False] * 6 + [True])
    network = Attending({"key_padding_mask": padding}, **made)
    x, memory = 3 * torch.randn(5, 8), 3 * torch.randn(7, 6)
    found = seen_in(network, x, memory, memory)
    part = network.attend
    bias_q, bias_k, _ = part.in_proj_bias.chunk(3)
    q = F.linear(x, part.q_proj_weight, bias_q)
    k = F.linear(memory, part.k_proj_weight, bias_k)
    k = torch.cat([k, part.bias_k[0], torch.zeros(1, 8)])
    q, k = (each.detach().double().unflatten(-1, (2, 4)).transpose(0, 1)[None] for each in (q, k))
    seen = torch.tensor([True] * 6 + [False, True, True]).expand(1, 2, 5, 9)
    assert_close(found, slow(q @ k.transpose(-1, -2) / 2, seen, q, k))


class ByHand(nn.Module):
    """Attention over [B, T, C], written in one of the ways in which people do."""

    def __init__(self, how, heads=2):
        super().__init__()
        self.qkv, self.how, self.heads = nn.Linear(8, 24), how, heads
        self.softmax, self.drop = nn.Softmax(-1), nn.Dropout(0.1)

    def parts(self, x):
        return (
            each.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in self.qkv(x).chunk(3, -1)
        )

    def forward(self, x):
        q, k, v = self.parts(x)
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        return getattr(self, self.how)(q, k, v, future)

    def at_sign(self, q, k, v, future):
        scores = (q @ k.transpose(-1, -2)) * (1.0 / 2)
        weights = F.softmax(scores.masked_fill(future, float("-inf")), dim=-1)
        return self.drop(weights) @ v

    def module_and_type(self, q, k, v, future):
        scores = torch.matmul(q, k.mT) / 2
        scores += torch.zeros(future.shape).masked_fill(future, torch.finfo(torch.float32).min)
        return torch.matmul(F.dropout(self.softmax(scores).to(q.dtype), 0.1), v)

    def einsum(self, q, k, v, future):
        q, k, v = (each.transpose(1, 2) for each in (q, k, v))
        scores = torch.einsum("bihd,bjhd->bhij", q, k) / 2
        weights = torch.where(future, torch.tensor(-1e9), scores).softmax(3)
        return torch.einsum("bhij,bjhd->bihd", weights, v)

    def bmm(self, q, k, v, future):
        b, h, t, d = q.shape
        q, k, v = (each.reshape(b * h, t, d) for each in (q, k, v))
        scores = torch.bmm(q, k.transpose(1, 2)).view(b, h, t, t).div(2)
        weights = torch.softmax(scores.masked_fill(future, -1e4), -1, dtype=torch.float32)
        return torch.bmm(weights.view(b * h, t, t), v)


@pytest.mark.parametrize("how", ["at_sign", "module_and_type", "einsum", "bmm"])
def test_attention_by_hand_is_as_computed_slowly(how):
    torch.manual_seed(0)
    network, x = ByHand(how), 4 * torch.randn(3, 6, 8)
    q, k, _ = (each.detach().double() for each in network.parts(x))
    causal = torch.ones(6, 6, dtype=torch.bool).tril().expand(3, 2, 6, 6)
    found = seen_in(network, x)
    assert_close(found, slow(q @ k.transpose(-1, -2) / 2, causal, q, k))


class AnotherAxis(ByHand):
    """The softmax does not run along the keys, wrongly or because something divides by sums."""

    def heads_axis(self, q, k, v, future):
        return F.dropout(F.softmax(q @ k.mT / 2, dim=1), 0.1) @ v

    def rows_axis(self, q, k, v, future):
        scores = torch.einsum("bhid,bhjd->bhij", q, k)
        return torch.einsum("bhij,bhjd->bhid", scores.softmax(2), v)

    def slots(self, q, k, v, future):
        weights = (q @ k.mT / 2).softmax(dim=2) + 1e-8
        return (weights / weights.sum(-1, keepdim=True)) @ v

    def linear(self, q, k, v, future):
        return q.softmax(-1) @ (k.softmax(-2).mT @ v)

    def both_ways(self, q, k, v, future):
        return (q @ k.mT).softmax(2).mT @ v


@pytest.mark.parametrize("how", ["heads_axis", "rows_axis"])
def test_a_softmax_along_another_axis_than_the_keys_is_told(how):
    assert seen_in(AnotherAxis(how), torch.randn(3, 6, 8)).figures()["attention_across"] == 1
    assert seen_in(ByHand("at_sign"), torch.randn(3, 6, 8)).figures()["attention_across"] == 0


@pytest.mark.parametrize("how", ["slots", "linear", "both_ways"])
def test_another_axis_that_is_meant_is_not(how):
    with Watched(AnotherAxis(how)) as watched:
        watched.step(torch.randn(3, 6, 8), search=Search.CALLED)
    found = [heads.figures()["attention_across"] for heads in watched.attention.take().values()]
    assert found == ([0] if how == "linear" else [])  # of queries alone, along their own axis


class Elsewhere(nn.Module):
    """Softmaxes that are no attention's."""

    def __init__(self, how):
        super().__init__()
        self.first, self.words, self.how = nn.Linear(8, 6), nn.Parameter(torch.randn(1, 6, 4)), how

    def forward(self, x):
        scores = self.first(x)
        if self.how == "a classifier's":
            return scores.softmax(-1)
        if self.how == "a mixture of a table's rows":
            return scores.softmax(-1) @ self.words
        if self.how == "a mean of what came before":
            future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
            given = torch.zeros(len(x), *future.shape).masked_fill(future, float("-inf"))
            return given.softmax(-1) @ scores
        if self.how == "gates":
            return scores.softmax(-1) * scores
        return scores.softmax(1).mT @ x  # along the rows


@pytest.mark.parametrize(
    "how",
    [
        *("a classifier's", "a mixture of a table's rows", "a mean of what came before", "gates"),
        "another axis",
    ],
)
def test_a_softmax_that_weighs_no_values_is_no_attention(how):
    with Watched(Elsewhere(how)) as watched:
        watched.step(torch.randn(3, 5, 8), search=Search.CALLED)
    assert watched.attention.take() == {}


def test_scores_that_were_changed_after_the_softmax_are_not_taken_for_its_input():
    class Changing(ByHand):
        def at_sign(self, q, k, v, future):
            scores = q @ k.transpose(-1, -2)
            weights = scores.detach().softmax(-1)
            scores.detach().mul_(0)
            return weights @ v

    with Watched(Changing("at_sign")) as watched:
        watched.step(torch.randn(3, 6, 8), search=Search.CALLED)
    assert watched.attention.take() == {}


@pytest.mark.parametrize("how", ["at_sign", "einsum", "bmm"])
def test_the_scale_of_logits_by_hand_is_found_behind_a_mask(how):
    found = seen_in(ByHand(how), 4 * torch.randn(3, 6, 8))
    np.testing.assert_allclose(found.scale, 1.0, rtol=1e-3)  # 1 / 2, where the width is 4
    q, k = projected()
    np.testing.assert_allclose(look(sdpa, q, k, k, scale=1 / 8).scale, 8**-0.5)


def test_a_cap_on_logits_is_no_layer():
    class Capped(ByHand):
        def at_sign(self, q, k, v, future):
            scores = 50 * torch.tanh(q @ k.mT / 50)
            return torch.tanh(scores.softmax(-1) @ v)

    with Watched(Capped("at_sign")) as watched:
        watched.step(torch.randn(3, 6, 8), search=Search.CALLED)
    assert watched.names() == ["00_capped/softmax", "00_capped/tanh"]


def test_nothing_is_seen_of_attention_in_a_step_that_is_not_searched():
    with Watched(ByHand("at_sign")) as watched:
        x = torch.randn(3, 6, 8)
        watched.step(x, search=Search.CALLED)
        assert len(watched.attention.take()) == 1
        watched.step(x)
        assert watched.attention.take() == {}
        watched.step(x, search=Search.CALLED)
        assert list(watched.attention.take()) == ["00_byhand/attention"]


def test_micro_batches_add_up_and_a_checkpoint_that_computes_again_does_not():
    network, x = ByHand("at_sign"), torch.randn(4, 6, 8)
    with Watched(network) as watched:
        watched.recorder.state.counting = True
        watched.functions.begin(True, Search.CALLED)
        for part in x.chunk(2):
            checkpoint(network, part.requires_grad_(), use_reentrant=True).sum().backward()
        ((_, found),) = watched.attention.take().items()
    assert found.table[1].tolist() == [20, 20]  # rows of a causal mask but the first, of 4 samples
    whole = seen_in(network, x)
    np.testing.assert_allclose(found.table[:8], whole.table[:8], rtol=1e-5)


def test_scores_are_let_go_when_the_forward_pass_is_over():
    with Watched(ByHand("at_sign")) as watched:
        watched.recorder.state.counting = True
        watched.functions.begin(True)
        watched.network(torch.randn(3, 6, 8))
        by_hand = watched.attention._by_hand
        held = by_hand._waiting, len(by_hand._weights), len(by_hand._products)
        assert held == ([], 0, 0)


def test_autocast_and_arguments_of_ones_own_kind_stop_nothing():
    class Own(torch.Tensor):
        pass

    network, x = ByHand("module_and_type"), torch.randn(3, 6, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert np.isfinite(seen_in(network, x).entropy).all()
    assert look(sdpa, *[torch.randn(2, 2, 3, 4).as_subclass(Own)] * 3) is None
    with Watched(ByHand("at_sign")) as watched:
        watched.step(x.as_subclass(Own), search=Search.CALLED)
    assert watched.recorder.state.failure is None
