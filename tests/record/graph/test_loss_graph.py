"""What a loss makes of a network's outputs is read off its graph, before or after backward."""

from weakref import ref

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.loss_form import LossForm
from layerscope.record.graph.loss_graph import LossGraph

SCORES, OTHER = (torch.randn(12, 3, requires_grad=True) for _ in range(2))
LABELS = torch.arange(12) % 3


def form(loss_of, *, backward=False, looking=True):
    """What is told of loss_of(scores [12, 3], values [12, 1]), two outputs of a network."""
    graph = LossGraph(lambda: looking)
    scores, values = 1 * SCORES, OTHER[:, :1] * 1
    for each in (scores, values):
        graph.note_output(each)
    loss = loss_of(scores, values)
    if backward:
        loss.backward()
    graph.see(loss)
    return graph.take()


def divergence(axis):
    taught = OTHER.detach().softmax(axis)
    return lambda scores, _: -((scores / 2).log_softmax(axis) * taught).sum()


@pytest.mark.parametrize("backward", [False, True])
def test_a_softmax_along_the_samples_is_told_from_one_along_the_classes(backward):
    for axis in (0, -2):
        assert form(divergence(axis), backward=backward) == LossForm(over_samples=True)
    for axis in (1, -1):
        assert form(divergence(axis), backward=backward) == LossForm()


@pytest.mark.parametrize("backward", [False, True])
def test_a_cosine_without_a_minus_is_told_from_one_with_it(backward):
    for loss_of in (
        lambda scores, _: F.cosine_similarity(OTHER.detach(), scores).mean(),
        lambda scores, _: (F.normalize(scores, dim=1) * OTHER).sum(1).sum() / 12,
        lambda scores, _: torch.einsum("nd,nd->n", F.normalize(scores, dim=1), OTHER).mean(),
    ):
        assert form(loss_of, backward=backward) == LossForm(of_cosines=True)
        for turned in (torch.neg, lambda loss: 1 - loss, lambda loss: -2 * loss):
            way = lambda *both: turned(loss_of(*both))  # noqa: B023, E731
            assert form(way, backward=backward) == LossForm()
    assert form(lambda scores, _: (scores * OTHER).sum(1).mean()) == LossForm()


def test_a_softmax_of_what_is_transposed_or_along_both_axes_is_none():
    assert form(lambda scores, _: scores.T.softmax(1).square().sum()) == LossForm()
    both = lambda scores, _: (scores.softmax(0) + scores.softmax(1)).square().sum()  # noqa: E731
    assert form(both) == LossForm()


def test_of_as_many_samples_as_classes_or_of_a_single_class_no_axis_is_told():
    for rows in (3, 1):
        graph = LossGraph(lambda: True)
        graph.note_output(output := 1 * SCORES[:rows])
        graph.see(output.softmax(0).square().sum())
        assert graph.take() == LossForm()


def test_of_a_loss_of_very_many_steps_nothing_is_told():
    def long(scores, _):
        loss = scores.sum()
        for _ in range(130):
            loss = 1 * loss
        return loss + scores.log_softmax(0).sum()

    assert form(long) == LossForm()


def test_of_two_losses_of_the_same_outputs_the_first_is_told():
    graph = LossGraph(lambda: True)
    graph.note_output(scores := 1 * SCORES)
    for axis in (0, 1):
        graph.see(divergence(axis)(scores, None))
    assert graph.take() == LossForm(over_samples=True)
    assert graph.take() is None


def test_the_graph_of_outputs_that_come_into_no_loss_is_not_kept():
    class Passes(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            alive.append(ref(context))
            return x.clone()

    alive: list = []
    graph = LossGraph(lambda: True)
    graph.note_output(Passes.apply(SCORES))
    assert [each() for each in alive] == [None]


def contrast(masked):
    def loss(scores, _):
        z = F.normalize(scores, dim=1)
        return F.cross_entropy(masked(z @ z.T / 0.1), torch.arange(12).roll(6))

    return loss


MASKS = (
    lambda s: s.masked_fill(torch.eye(12, dtype=torch.bool), -torch.inf),
    lambda s: s - 1e9 * torch.eye(12),
    lambda s: s.fill_diagonal_(-1e9),
    lambda s: torch.where(torch.eye(12, dtype=torch.bool), -1e9, s),
    lambda s: s + torch.diag(torch.full((12,), -1e9)),
)


def test_a_sample_against_itself_is_told_of():
    assert form(contrast(lambda s: s)) == LossForm(against_itself=True, candidates=12)


@pytest.mark.parametrize("mask", MASKS)
def test_a_masked_diagonal_is_not(mask):
    assert form(contrast(mask)) == LossForm(candidates=12)


def test_squares_are_no_sample_against_itself():
    assert form(lambda scores, _: (scores * scores).log_softmax(1).sum()) == LossForm()


def test_two_views_against_each_other_are_not():
    def loss(scores, values):
        return F.cross_entropy(scores @ (values + SCORES).T, torch.arange(12))

    assert form(loss) == LossForm(candidates=12)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_temperature_that_is_learned_may_stand_before_or_behind_the_products(swapped):
    learned = torch.zeros((), requires_grad=True)

    def loss(scores, values):
        products, scale = scores @ (values + SCORES).T, learned.exp()
        logits = scale * products if swapped else products * scale
        return F.cross_entropy(logits, torch.arange(12))

    assert form(loss) == LossForm(candidates=12)


ALIKE = (
    lambda one, other: torch.einsum("nc,nc->n", one, other)[:, None],
    lambda one, other: (one * other).sum(1, keepdim=True),
    lambda one, other: torch.bmm(one[:, None], other[..., None])[:, 0],
)


@pytest.mark.parametrize("alike", ALIKE)
@pytest.mark.parametrize("partner", [lambda v: v, lambda v: v.detach()])
def test_partners_that_stand_before_all_others_are_candidates_too(alike, partner):
    queue = torch.randn(3, 7)

    def loss(scores, values):
        logits = torch.cat([alike(scores, partner(values + SCORES)), scores @ queue], 1) / 0.07
        return F.cross_entropy(logits, torch.zeros(12, dtype=torch.long))

    assert form(loss) == LossForm(candidates=8)


def test_pairs_that_are_picked_from_all_products_are_candidates_too():
    pairs = torch.eye(12, dtype=torch.bool).roll(6, 0)

    def loss(scores, _):
        products = scores @ scores.T
        near = products[pairs].view(12, 1)
        logits = torch.cat([near, products[~pairs].view(12, 11)], 1)
        return F.cross_entropy(logits, torch.zeros(12, dtype=torch.long))

    assert form(loss) == LossForm(candidates=12)


def test_a_layer_that_the_loop_calls_itself_compares_no_candidates():
    assert form(lambda scores, _: F.cross_entropy(scores @ OTHER.T, LABELS)) == LossForm()

    def of_two(scores, _):
        return F.cross_entropy(torch.cat([scores @ OTHER.T, scores], 1), LABELS)

    assert form(of_two) == LossForm()

    def of_directions(scores, _):
        return F.cross_entropy(F.normalize(scores) @ F.normalize(OTHER).T, LABELS)

    assert form(of_directions) == LossForm()


EACH_ITS_OWN = (
    lambda one, others: torch.einsum("nd,nkd->nk", one, others),
    lambda one, others: (others @ one[..., None])[..., 0],
    lambda one, others: (one[:, None] * others).sum(2) / 0.1,
)


@pytest.mark.parametrize("products", EACH_ITS_OWN)
def test_candidates_may_be_others_for_each_sample_and_no_table_of_all(products):
    def loss(scores, values):
        return F.cross_entropy(products(scores, torch.stack([values + SCORES] * 5, 1)), LABELS)

    assert form(loss) == LossForm(candidates=5)
    table = torch.nn.Parameter(torch.ones(1, 5, 3))
    of_all = form(
        lambda scores, _: F.cross_entropy(products(scores, table.expand(12, 5, 3)), LABELS)
    )
    assert of_all == LossForm()


def policy(advantage_of):
    def loss(scores, values):
        likely = scores.log_softmax(1).gather(1, LABELS[:, None])
        return -(likely * advantage_of(values)).mean() + (1 - values).abs().mean()

    return loss


def test_an_advantage_with_a_gradient_is_told_of():
    told = LossForm(through_advantage=True)
    assert form(policy(lambda v: 1 - v)) == told
    assert form(policy(lambda v: (1 - v - (1 - v).mean()) / (1 - v).std())) == told
    of_rewards = LossForm(of_rewards=True, baseline=frozenset({id(OTHER)}))
    assert form(policy(lambda v: (1 - v).detach())) == of_rewards
    assert form(policy(lambda v: (1 - v).exp())) == LossForm()  # a weight that is learned
    assert form(policy(lambda v: v)) == LossForm()  # no difference
    assert form(policy(lambda _: 1 - 2 * SCORES[:, :1])) == LossForm()  # of no output


def test_a_difference_from_the_same_output_or_times_no_logarithm_is_no_advantage():
    def same(scores, _):
        return (scores.log_softmax(1).gather(1, LABELS[:, None]) * (1 - scores[:, :1])).mean()

    assert form(same) == LossForm()
    assert form(lambda scores, v: (scores[:, :1] * (1 - v)).mean()) == LossForm()


def test_figures_tell_of_candidates_and_of_a_softmax_along_samples_where_there_are_some():
    usual = dict.fromkeys(
        (
            "against_itself",
            "advantage_gradient",
            "of_rewards",
            "loss_broadcasts",
            "activated_twice",
            "loss_of_earlier",
            "number_added",
            "of_alignment",
            "loss_of_scores",
        ),
        0.0,
    )
    assert LossForm().figures() == usual
    told = ("against_itself", "through_advantage", "of_rewards", "broadcasts", "activated_twice")
    told = (*told, "of_earlier", "adds_number", "of_alignment", "of_scores")
    several = LossForm(**dict.fromkeys(told, True), candidates=12)
    assert several.figures() == dict.fromkeys(usual, 1.0) | {"candidates": 12.0}
    assert LossForm(over_samples=True).figures() == usual | {"softmax_over_samples": 1.0}


def episode(scores, _):
    steps = (torch.distributions.Categorical(logits=scores[i : i + 1]) for i in range(12))
    chosen = torch.zeros(1, dtype=torch.long)
    return torch.cat([-each.log_prob(chosen) * 0.5 for each in steps]).sum()


def each_step_added(scores, values):
    """As a sum over a Python list has it, which no tensor gathers."""
    drawn = [torch.distributions.Categorical(logits=row) for row in scores]
    gains = torch.randn(len(drawn)).tolist()
    likely = [each.log_prob(it) for each, it in zip(drawn, LABELS, strict=True)]
    errors = sum((value - 1).square().sum() for value in values)
    return sum(-each * gain for each, gain in zip(likely, gains, strict=True)) + errors


def likelihoods_of_two_heads(scores, _):
    """Each with a factor, after its sum."""
    chosen = (each.log_softmax(1).gather(1, LABELS[:, None]) for each in (scores, 2 * scores))
    return sum(-0.5 * each.sum() for each in chosen)


def one_sample(scores, _):
    return -0.5 * scores.log_softmax(1)[:1].gather(1, LABELS[:1, None]).sum()


@pytest.mark.parametrize("loss_of", [likelihoods_of_two_heads, one_sample])
def test_a_likelihood_with_a_factor_is_none_of_rewards(loss_of):
    assert not form(loss_of).of_rewards


def ratio(scores, _):
    now = torch.distributions.Categorical(logits=scores).log_prob(LABELS)
    gain, new = torch.randn(12), (now - now.detach()).exp()
    return -torch.min(new * gain, new.clamp(0.8, 1.2) * gain).mean()


def of_numbers(learned, ratio=False):
    """Actions that are drawn from a normal distribution, of a deviation that is learned or not."""

    def loss(scores, _):
        deviation = (OTHER.mean(0) if learned else torch.zeros(3)).exp()
        drawn = torch.distributions.Normal(scores, deviation).log_prob(torch.randn(12, 3)).sum(1)
        return -((drawn - drawn.detach()).exp() if ratio else drawn).mul(torch.randn(12)).mean()

    return loss


GAUSSIAN = [of_numbers(learned, ratio) for learned in (False, True) for ratio in (False, True)]


@pytest.mark.parametrize("loss_of", [episode, each_step_added, ratio, *GAUSSIAN])
@pytest.mark.parametrize("backward", [False, True])
def test_a_policys_loss_is_one_of_rewards(loss_of, backward):
    assert form(loss_of, backward=backward).of_rewards


def test_a_likelihood_that_is_scaled_as_a_whole_is_not():
    def likelihood(scores, _):
        return -0.5 * scores.log_softmax(1).gather(1, LABELS[:, None]).mean()

    assert form(likelihood) == LossForm()
    assert form(lambda scores, _: 2 * F.cross_entropy(scores, LABELS)) == LossForm()
    drawn, weights = torch.randn(12, 3), torch.rand(12, 3)
    density = lambda s, _: -torch.distributions.Normal(s, 1.0).log_prob(drawn).mean()  # noqa: E731
    assert form(density) == LossForm()
    assert form(lambda s, _: (weights * (s - drawn) ** 2).mean()) == LossForm()
    assert form(lambda s, _: (weights * ((s - drawn) ** 2 / 2)).mean()) == LossForm()


def twice(last, then):
    graph = LossGraph(lambda: True)
    output = last(1 * SCORES)
    graph.note_output(output)
    graph.see(then(output).square().mean())
    return graph.take().activated_twice


@pytest.mark.parametrize(
    "then",
    [
        torch.sigmoid,
        lambda z: z.flatten().sigmoid(),
        lambda z: z.softmax(1),
        lambda z: F.logsigmoid(z),
        lambda z: F.binary_cross_entropy_with_logits(z, torch.ones(12, 3)),
    ],
)
def test_a_sigmoid_of_a_sigmoid_is_told_of(then):
    assert twice(torch.sigmoid, then)
    assert twice(lambda z: z.softmax(1).unsqueeze(1), lambda z: then(z.squeeze(1)))
    assert not twice(lambda z: z * 2, then)
    assert not twice(lambda z: z.log_softmax(1), then)
    assert not twice(torch.sigmoid, lambda z: then(8 * z - 4))  # as of a mask that is made sharp


def test_no_graph_is_looked_at_between_looks_or_where_there_is_none():
    assert form(divergence(0), looking=False) is None
    assert form(lambda scores, _: scores.detach().sum()) is None


def test_a_number_of_each_sample_with_those_of_all_is_told_of():
    gains, column = torch.randn(12), torch.randn(12, 1)

    def ratio_of(gain):
        def loss(scores, _):
            new = torch.distributions.Categorical(logits=scores).log_prob(LABELS).exp()
            return -torch.min(new * gain, new.clamp(0.8, 1.2) * gain).mean()

        return loss

    assert form(ratio_of(column)).broadcasts
    assert not form(ratio_of(gains)).broadcasts
    normal = torch.distributions.Normal
    assert form(lambda _, values: -normal(values, 1.0).log_prob(gains).mean()).broadcasts
    assert not form(lambda _, values: -normal(values, 1.0).log_prob(column).mean()).broadcasts


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_an_error_of_torchs_own_that_broadcasts_beside_another_term_is_told_of():
    row, column = torch.randn(12), torch.randn(12, 1)

    def beside(error):
        return lambda scores, values: F.cross_entropy(scores, LABELS) + error(values)

    for criterion in (F.mse_loss, F.smooth_l1_loss, F.huber_loss):
        for told, target in ((True, row), (False, column)):
            assert form(beside(lambda v, c=criterion, t=target: c(v, t))).broadcasts == told
            flat = target if told else row
            shaped = flat[:, None] if told else flat
            of_rows = beside(lambda v, c=criterion, t=shaped: c(v.squeeze(1), t))
            assert form(of_rows).broadcasts == told
    assert not form(beside(lambda v: F.mse_loss(v.expand(12, 5), torch.zeros(12, 5)))).broadcasts
    assert not form(beside(lambda v: F.mse_loss(v - v.T, row[:, None] - row))).broadcasts


def test_a_sum_of_a_judges_scores_has_no_least_value():
    judge, penalty = torch.nn.Linear(3, 1), lambda scores: (scores.norm(dim=1) - 1).square().mean()
    for loss_of in (
        lambda scores, _: judge(scores).mean(),
        lambda scores, _: 10 * penalty(scores) - judge(scores).squeeze(1).sum() / 12,
    ):
        assert form(loss_of) == LossForm(of_scores=True)
    for bounded in (
        lambda scores, _: judge(scores).square().mean(),
        lambda scores, _: (1 - judge(scores)).relu().mean() + penalty(scores),
        lambda scores, _: -judge(scores).sigmoid().log().mean(),
    ):
        assert form(bounded) == LossForm()


RISK = torch.ones(12, 12).tril()


@pytest.mark.parametrize(
    "loss_of",
    [
        lambda _, v: (RISK * v[:, 0].exp()).sum(1).log().sum() - v.sum(),  # Cox 1972
        lambda _, v: (v[:, 0, None] - torch.arange(12.0)).square().mean(),
        lambda _, v: (v[:, 0].unsqueeze(1) - v[:, 0]).square().mean(),
        lambda scores, _: (scores @ scores.T * RISK).mean(),
        lambda _, v: F.cross_entropy(-(v - torch.arange(12.0)).square(), torch.arange(12)),
        lambda _, v: (v - torch.arange(12.0)).square().masked_fill(RISK == 0, 0).mean(),
    ],
)
def test_pairs_on_purpose_are_not(loss_of):
    assert not form(loss_of).broadcasts


def test_pairs_of_two_samples_or_of_the_network_itself_are_not():
    def is_told(output, loss_of=lambda output: output):
        graph = LossGraph(lambda: True)
        graph.note_output(output)
        graph.see(loss_of(output).square().mean())
        return graph.take().broadcasts

    def column(rows):
        return 1 * OTHER[:rows, :1]

    assert is_told(column(3), lambda values: values - torch.arange(3.0))
    assert not is_told(column(2), lambda values: values - torch.arange(2.0))
    assert not is_told(column(12) - torch.arange(12.0))


def test_of_a_policys_loss_those_parameters_are_a_baselines_that_no_action_depends_on():
    body, actor, critic = (torch.nn.Linear(3, 3) for _ in range(3))
    graph = LossGraph(lambda: True)
    x = body(SCORES.detach()).tanh()
    scores, values = actor(x), critic(SCORES.detach())
    for each in (scores, values):
        graph.note_output(each)
    chosen = torch.distributions.Categorical(logits=scores).log_prob(LABELS)
    graph.see(-(chosen * torch.randn(12)).mean() + values.square().mean())
    seen = graph.take()
    assert seen is not None
    assert seen.baseline == {id(each) for each in critic.parameters()}
    assert form(lambda s, v: F.cross_entropy(s, LABELS) + v.square().mean()).baseline == frozenset()
