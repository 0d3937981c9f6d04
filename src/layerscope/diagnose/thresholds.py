"""What separates healthy from sick, in numbers: each with its source."""

from dataclasses import dataclass, fields
from itertools import chain, pairwise
from numbers import Integral, Real

from layerscope.arguments import at_least


@dataclass(frozen=True)  # without slots: LightningCLI asks for vars() of it
class Thresholds:
    """What the rules compare with. docs/diagnosis.md says how each figure is formed. What is said
    here is printed into conf/monitor/default.yaml by scripts/write_rule_pages.py.

    Args:
        lasting: measured steps in a row that a layer must show a symptom before it counts, so that
            one unlucky batch is none; the step that is named is the first of them. At least 1.
        warm_up: measured steps before updates and gradients are compared with what is usual in the
            run: Adam's first steps are its largest, and a median needs something to be one of.
            At least 2.
        saturated_healthy: share of saturated outputs below which a layer is healthy: the course,
            day 11, part II, "saturated < 5%". Above: a note.
        saturated_bad: the same, "saturated > 20%"; at least `saturated_healthy`. A warning.
        saturated_trained: the same, in a layer that was below in a step before: training fills the
            ends of a tanh. Default runs, which fit well, peak at 21 to 26 %. At least
            `saturated_bad`.
        saturated_critical: share above which most of a layer's gradient is stopped: more than half
            of its outputs; at least `saturated_trained`.
        idle_std: a spread below this, of an activation function's outputs, passes nothing on: the
            course's "clustered at zero", a hundredth of the range of tanh.
        biased_mean: |mean| above this many standard deviations is not "about 0", as the course
            has it. A note.
        biased_bad: |mean| above this many: 98 % of normal outputs have one sign, and the layer is
            a constant to the next (LeCun et al. 1998, Efficient BackProp, section 4.3). A warning;
            at least `biased_mean`.
        dead_share: share of a layer's units that are dead. A note.
        dead_bad: the same; "as much as 40% of your network can be dead" if steps are too large
            (CS231n, Neural Networks Part 1). A warning; at least `dead_share`.
        dead_critical: the same: what is left is a bottleneck; at least `dead_bad`.
        vanishing_end_to_end: the first layer's gradient / the largest, norms: a note.
        vanishing_bad: the same: a warning; at most `vanishing_end_to_end`.
        vanishing_critical: the same: critical; at most `vanishing_bad`. See
            `rules/gradient_profile.py` for where these come from.
        exploding_end_to_end: the first layer's gradient / the last hidden one's: a note. Above 1.
        exploding_bad: the same: a warning; at least `exploding_end_to_end`.
        exploding_critical: the same: critical; at least `exploding_bad`.
        spike_factor: gradient norm / its running median; above 1.
        spike_deviations: and by how many robust standard deviations of its logarithm (ZClip, Kumar
            et al. 2025, takes 2.5 to clip; a verdict asks for more). Above 0.
        update_large: log10 RMS(update) / RMS(weight) above which steps are too large; Karpathy's
            nn-zero-to-hero, lecture 3, and CS231n, Neural Networks Part 3, want about -3.
        update_small: the same, below which they are too small; below `update_large`.
        update_stalled: log10 of a layer's ratio / the median layer's, below which it stands still
            while the others learn; below 0.
        rate_low: learning rate of a parameter group / the optimizer's largest, below which it is
            taken for a slip: discriminative rates differ by 2.6 a layer (Howard and Ruder 2018,
            section 3.2), those of a backbone and a new head by a hundred. 0 to 1.
        overconfident_start: loss at step 0 / ln(classes), that of uniform guessing; above 1.
            Karpathy, lecture 3: 27 against 3.3 is a loss of confidence in the wrong.
        patience: steps after which a loss must have begun to fall: a verdict within the first
            hundred. At least 20.
        loss_stuck: loss / loss at the start above which it has not fallen; 0 to 1.
        loss_slow: the same, above which it falls too slowly if updates are small too; 0 to 1.
        update_slow: log10 RMS(update) / RMS(weight) below which updates are small; -3 is usual.
        loss_rising: loss / loss at the start above which it goes up; above 1.
        loss_diverged: the same, above which it has diverged; above 1.
        input_large: root mean square of the inputs above which they want scaling, to 1 (LeCun et
            al. 1998, section 4.3): the curvature along the first layer's weights goes with its
            square. Above 1.
        input_small: the same, below which hardly anything of them arrives. 0 to 1.
        input_uneven: the largest feature / the median one. A note. Above 1.
        target_large: root mean square of a regression's targets: a note.
        target_huge: the same: a warning; at least `target_large`.
        dropout_usual: probability of a dropout up to which it is usual (Srivastava et al. 2014,
            section 7.3).
        dropout_high: the same: a warning, a fifth of the inputs is left; at least `dropout_usual`.
        update_lost: share of a layer's elements with a gradient that an update leaves as they were,
            by rounding.
        weights_gone: size of the weights / that at the start below which they are decayed away.
        stream_over_depth: residual stream after its blocks / after half of them, at the start:
            branches of equal size make it at most 2. A note. Above 1.
        stream_over_depth_bad: the same: a warning; at least `stream_over_depth`. It then grows by
            1.4 with each of fourteen blocks, or by more.
        stream_over_steps: residual stream / what it was before half of the optimizer's way: the
            cube of 2.8, which three weights that always move the same way make. Above 1.
        branch_silent: branch / stream below which a stream of 16 bits is the same without it: half
            the distance of bfloat16 numbers, 1/512. 0 to 1.
        collapsed_spread: outputs that differ by less than this share of the largest, over all
            samples of a step, are the same for all. 0 to 1.
        attention_collapsed: entropy of an attention's rows / that of uniform ones, mean of heads,
            below which a layer looks at one token: of 64 keys a weight of 0.93 for one. A layer
            that was above before is ill below half of it. Critical below a tenth. 0 to 1.
        attention_logit: largest logit of an attention: a note; Kimi K2 (2025) clips there. Above 1.
        attention_logit_bad: the same: a warning; at least `attention_logit`.
        attention_logit_critical: the same: critical; at least `attention_logit_bad`. All runs of
            Wortsman et al. 2023 that came beyond diverged.
        attention_uniform: entropy of the rows of the head that has the lowest / that of uniform
            ones, above which no head chooses: the logits have a standard deviation of 0.1 or less.
            0 to 1.
        expert_load: tokens of the expert that gets most / the mean over a router's experts, above
            which capacities of the usual size, 1 to 2 (Fedus et al. 2022, Switch), drop some. A
            note. Above 1.

    Raises:
        ValueError: an argument out of its bounds, or out of order.
    """

    lasting: int = 5
    warm_up: int = 20
    saturated_healthy: float = 0.05
    saturated_bad: float = 0.20
    saturated_trained: float = 0.30
    saturated_critical: float = 0.50
    idle_std: float = 0.01
    biased_mean: float = 0.5
    biased_bad: float = 2.0
    dead_share: float = 0.10
    dead_bad: float = 0.40
    dead_critical: float = 0.90
    vanishing_end_to_end: float = 0.1
    vanishing_bad: float = 0.05
    vanishing_critical: float = 1e-4
    exploding_end_to_end: float = 300.0
    exploding_bad: float = 1000.0
    exploding_critical: float = 1e5
    spike_factor: float = 10.0
    spike_deviations: float = 6.0
    update_large: float = -1.0
    update_small: float = -5.0
    update_stalled: float = -4.0
    rate_low: float = 0.005
    overconfident_start: float = 1.5
    patience: int = 80
    loss_stuck: float = 0.98
    loss_slow: float = 0.8
    update_slow: float = -3.5
    loss_rising: float = 1.05
    loss_diverged: float = 3.0
    input_large: float = 10.0
    input_small: float = 0.05
    input_uneven: float = 100.0
    target_large: float = 10.0
    target_huge: float = 100.0
    dropout_usual: float = 0.5
    dropout_high: float = 0.8
    update_lost: float = 0.5
    weights_gone: float = 0.1
    stream_over_depth: float = 4.0
    stream_over_depth_bad: float = 10.0
    stream_over_steps: float = 23.0
    branch_silent: float = 0.002
    collapsed_spread: float = 0.01
    attention_collapsed: float = 0.1
    attention_logit: float = 100.0
    attention_logit_bad: float = 1000.0
    attention_logit_critical: float = 1e4
    attention_uniform: float = 0.999
    expert_load: float = 2.0

    def __post_init__(self) -> None:
        for field in fields(self):
            number: object = getattr(self, field.name)
            kind, words = (Integral, "whole number") if field.type is int else (Real, "number")
            if isinstance(number, bool) or not isinstance(number, kind) or number != number:
                raise ValueError(f"{field.name} must be a {words}, got {number!r}")
        for name, bound in (("lasting", 1), ("warm_up", 2), ("patience", 20)):
            at_least(bound, **{name: getattr(self, name)})
        for name in _SHARES:
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {share}")
        for name in ("idle_std", "biased_mean", "spike_deviations"):
            bound = getattr(self, name)
            if not bound >= 0:
                raise ValueError(f"{name} must be at least 0, got {bound}")
        for name in _ABOVE_ONE:
            factor = getattr(self, name)
            if not factor > 1:
                raise ValueError(f"{name} must be above 1, got {factor}")
        if not self.update_stalled < 0:
            raise ValueError(f"update_stalled must be below 0, got {self.update_stalled}")
        for smaller, larger in chain.from_iterable(map(pairwise, _IN_ORDER)):
            low, high = getattr(self, smaller), getattr(self, larger)
            if not high >= low:
                raise ValueError(f"{larger} must be at least {smaller}, {low}, got {high}")


_SHARES = (
    *("saturated_healthy", "saturated_bad", "saturated_trained", "saturated_critical"),
    *("dead_share", "dead_bad", "dead_critical"),
    *("vanishing_end_to_end", "vanishing_bad", "vanishing_critical"),
    *("loss_stuck", "loss_slow", "input_small", "dropout_usual", "dropout_high"),
    *("rate_low", "update_lost", "weights_gone", "collapsed_spread", "branch_silent"),
    *("attention_collapsed", "attention_uniform"),
)
_ABOVE_ONE = (
    *("exploding_end_to_end", "spike_factor", "overconfident_start", "loss_rising"),
    *("loss_diverged", "input_large", "input_uneven", "target_large"),
    *("attention_logit", "expert_load"),
    *("stream_over_depth", "stream_over_steps"),
)
_IN_ORDER = (
    ("saturated_healthy", "saturated_bad", "saturated_trained", "saturated_critical"),
    ("biased_mean", "biased_bad"),
    ("dead_share", "dead_bad", "dead_critical"),
    ("vanishing_critical", "vanishing_bad", "vanishing_end_to_end"),
    ("exploding_end_to_end", "exploding_bad", "exploding_critical"),
    ("update_small", "update_large"),
    ("target_large", "target_huge"),
    ("stream_over_depth", "stream_over_depth_bad"),
    ("dropout_usual", "dropout_high"),
    ("loss_rising", "loss_diverged"),
    ("attention_logit", "attention_logit_bad", "attention_logit_critical"),
)
