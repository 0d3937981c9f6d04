"""One cause, one story: findings in the order in which to mend them.

A fault in the inputs, the loss or the optimizer makes units die, saturate, and updates too small or
too large. Each of those is a finding too, and true; but to mend it is to mend the cause. So causes
come first, by how near they are to the beginning of all: what the data are, what the loss makes of
them, what the optimizer does, how the network is put together and started; then the steps' size;
and symptoms last.
"""

from collections.abc import Iterable
from dataclasses import replace

from layerscope.diagnose.findings.consequences import CONSEQUENCES, RISKS
from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.findings.rule_groups import (
    BY_GRADIENTS,
    BY_UPDATES,
    FROM_THE_START,
    OF_GRADIENTS,
    OF_LAYERS,
    OF_NO_SIGNAL,
    OF_OUTPUTS,
    SEEN_LATE,
    SYMPTOMS,
    WITHOUT_GRADIENT,
)
from layerscope.diagnose.findings.severity import SEVERITIES
from layerscope.diagnose.findings.urgent import urgent
from layerscope.diagnose.measured.loss_curve import WINDOW
from layerscope.diagnose.thresholds import Thresholds

_RANK = {rule: place for place, rule in enumerate(CONSEQUENCES)}
_WARNING = SEVERITIES.index("warning")
_GONE = "learning_rate_gone"

WHY_IT_DIVERGES = "; it may well be this that makes the loss diverge"
"""Said of a cause that was there before the loss did, so that steps are not blamed first."""


def story(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in the order in which to mend them, each with its `because`.

    A cause that follows from no other, then what follows from it, also by way of another, the worst
    first; then the next. Causes of the start stand side by side, and what follows from them after
    them all: several may hold at once, and to mend one of them is not enough. Notes come last. A
    note that is a risk becomes a warning if a warning follows from it; some are told then only.
    """
    left = sorted(findings, key=lambda f: (-f.level, f.step))
    before_inputs = urgent(left)
    heads: list[list[Finding]] = []

    def rank(finding: Finding) -> float:
        is_urgent = finding.rule in before_inputs
        place = _RANK.get(finding.rule, len(_RANK))
        return _RANK["input_scale"] - 0.5 if is_urgent else place

    while causes := sorted((f for f in left if _is_cause(f, left)), key=rank):
        roots = (
            f
            for f in causes
            if f.rule in before_inputs or not any(_follows(f, other) for other in causes)
        )
        cause = next(roots, causes[0])
        following = _all_that_follows(cause, left)
        told = replace(cause, severity="warning") if cause.severity == "note" else cause
        if _is_at_the_root(told) and any(f.rule == "loss_diverged" for f in following):
            told = replace(told, explanation=told.explanation + WHY_IT_DIVERGES)
        heads.append([told, *(replace(f, because=cause.rule) for f in following)])
        left = [f for f in left if f is not cause and f not in following]
    heads += [[f] for f in left if not _tells_as_cause_only(f)]
    # Among causes the order of CONSEQUENCES holds; what explains nothing goes by its severity.
    heads.sort(key=lambda head: _weight(head, rank(head[0]), head[0].rule in before_inputs))
    of_the_start = [
        head
        for head in heads
        if _is_at_the_root(head[0]) or _does_harm(head) or head[0].rule in before_inputs
    ]
    others = heads[len(of_the_start) :]
    return [
        *(cause for cause, *_ in of_the_start),
        *(finding for _, *following in of_the_start for finding in following),
        *(finding for head in others for finding in head),
    ]


def _is_cause(finding: Finding, others: Iterable[Finding]) -> bool:
    if finding.level >= _WARNING:
        return finding.rule in CONSEQUENCES
    risks = RISKS.get(finding.rule, ())
    return any(f.level >= _WARNING and f.rule in risks and _follows(f, finding) for f in others)


def _tells_as_cause_only(finding: Finding) -> bool:
    """Whether it explains something or tells nothing: gradients of a few passes that are added up
    change the pace by less than what one tries of learning rates.
    """
    is_note = finding.rule == "loss_reduction" and finding.level < _WARNING
    return is_note and finding.value <= finding.threshold


def _all_that_follows(cause: Finding, others: list[Finding]) -> list[Finding]:
    """What follows from a cause, and from warnings that do, in the order that it has."""
    found = {cause.rule: cause}
    explaining = [cause]
    for explains in explaining:  # which grows
        for finding in others:
            if finding.rule not in found and _follows(finding, explains):
                found[finding.rule] = finding
                if finding.level >= _WARNING and finding.rule in CONSEQUENCES:
                    explaining.append(finding)
    return [f for f in others if f is not cause and f.rule in found]


def _follows(finding: Finding, cause: Finding) -> bool:
    """Whether a finding may be a consequence: of the right kind, and not before its cause. Of two
    that may follow from each other the one that begins first explains, and of two that begin in
    the same step the one that CONSEQUENCES has first: it is nearer to the data.
    """
    if finding.rule not in CONSEQUENCES[cause.rule] or _came_before_updates(finding, cause):
        return False
    if (cause.rule, finding.rule) == ("attention_logit_growth", "attention_collapse"):
        return True  # logits grow before that is a warning
    if finding.rule == "loss_not_finite" and cause.rule in FROM_THE_START:
        # The logarithm of what no softmax keeps above 0, or what steps too large have made of it.
        return cause.step < finding.step
    # Decay takes its time: what a layer has at step 0 is none of it, and it draws to zero whatever
    # gets no gradient.
    if finding.rule == "weights_decay_to_zero" and cause.rule in WITHOUT_GRADIENT:
        return cause.step == 0 < finding.step
    if cause.rule == "weights_decay_to_zero" and finding.rule in WITHOUT_GRADIENT:
        return finding.step > 0
    if cause.rule in OF_NO_SIGNAL and finding.rule in SYMPTOMS and finding.level > _WARNING:
        return False  # what has come to its end learns from no labels
    same_layers = set(finding.layer_names) <= set(cause.layer_names)
    if cause.rule == "stalled":  # of other layers it says nothing
        return same_layers
    if cause.rule == "silent_branch":  # seen late, and true from the start
        return _is_in_the_blocks_of(finding, cause)
    if finding.rule == "vanishing_gradient" and cause.rule in OF_LAYERS:
        if not same_layers:
            return False  # others lose it, too
        if cause.rule in CONSEQUENCES[finding.rule]:
            return finding.step >= cause.step
    if cause.rule == "vanishing_gradient" and finding.rule in OF_LAYERS:
        return finding.step >= cause.step and not set(cause.layer_names) <= set(finding.layer_names)
    if finding.rule in FROM_THE_START and finding.level >= _WARNING:
        return cause.rule in FROM_THE_START and _RANK[cause.rule] < _RANK[finding.rule]
    if finding.level >= _WARNING and cause.rule in CONSEQUENCES.get(finding.rule, ()):
        return _begun(cause) < _begun(finding)
    # What is there from the start has no step; the steps of a run's own rules say when it was seen.
    if cause.rule == "loss_not_finite":
        return finding.step >= cause.step
    step = finding.step
    if finding.rule == "loss_not_falling":  # which may be told to have begun long before
        step = max(step, Thresholds().patience - 1)
    return step >= cause.step or cause.rule in FROM_THE_START | SEEN_LATE


def _came_before_updates(finding: Finding, cause: Finding) -> bool:
    """Whether a finding is of step 0, and the cause could bring it about by an update only."""
    if finding.step > 0:
        return False
    outputs = finding.rule in OF_OUTPUTS and cause.rule in BY_GRADIENTS
    return outputs or (finding.rule in OF_GRADIENTS and cause.rule in BY_UPDATES)


def _is_in_the_blocks_of(finding: Finding, branches: Finding) -> bool:
    """Whether all layers with a finding are in blocks of which the branches are silent: "01_a.0.b"
    is in that of "02_a.0/add".
    """
    within, adding = (
        [name.partition("_")[2] for name in each.layer_names or (each.layer,)]
        for each in (finding, branches)
    )
    blocks = tuple(f"{path.partition('/')[0]}." for path in adding)
    return all(path.startswith(blocks) for path in within)


def _begun(finding: Finding) -> tuple[int, int]:
    """When a finding began, and its place among those of the same step. Layers have some steps to
    show why nothing is learned.
    """
    if finding.rule == "labels_without_signal":
        return min(finding.step, WINDOW), _RANK[finding.rule]
    always = finding.rule in FROM_THE_START | SEEN_LATE
    return (-1 if always else finding.step), _RANK[finding.rule]


def _is_at_the_root(finding: Finding) -> bool:
    """Whether it is a warning of what is so from the start on. A learning rate may be 0 from the
    start, or a schedule has come to it.
    """
    always = finding.rule in FROM_THE_START or (finding.rule, finding.step) == (_GONE, 0)
    return always and finding.level >= _WARNING


def _does_harm(head: list[Finding]) -> bool:
    """Whether something critical follows from what a user has made so at the start: a network that
    cannot train is mended before one that cannot learn all that it should.
    """
    first, *following = head
    is_made = first.level >= _WARNING and first.step == 0 and first.rule not in SYMPTOMS
    return is_made and any(f.level > _WARNING for f in following)


def _weight(head: list[Finding], rank: float, is_urgent: bool) -> tuple[int, int, float, bool, int]:
    """Sorts stories: those with a warning first; causes of the start in their order, those that do
    harm or are urgent before the others; then others by severity; notes of what a user wrote, then
    those of what layers show while it learns.
    """
    first = head[0]
    worst = max(f.level for f in head)
    does_harm = is_urgent or _does_harm(head)
    at_the_root = does_harm or _is_at_the_root(first)
    return (
        -(worst >= _WARNING),
        2 if not at_the_root else int(not does_harm),
        rank if at_the_root else -worst,
        worst < _WARNING and first.rule in SYMPTOMS,
        first.step,
    )
