"""How many backward passes come to a network's outputs in a step, and to how many outputs each."""

from collections import defaultdict

Kind = tuple[int, tuple[int, ...]]
"""Of a call: the `id` of the module, and the shape of a sample that it gives."""


class BackwardPasses:
    """Is told of outputs, and of gradients that come to them.

    Of outputs that go into one loss the gradients come with no call in between.

    Attributes:
        given: outputs since a gradient came.
        together: outputs of the last pass.
        number: passes of the step.
        of_slopes: whether one of the step was taken by the network's inputs, with a graph.
        plain_slopes: whether one was without, and another pass came after it.
        added: of these, the last ones between which the weights did not change.
    """

    def __init__(self) -> None:
        self.given = self.together = self.number = self.added = 0
        self._weights, self.of_slopes, self.plain_slopes = -1, False, False
        self._plain: int | None = None
        # Of each kind of call how many samples it gave, call by call, and which got a gradient.
        self._calls: defaultdict[Kind, list[int]] = defaultdict(list)
        self._reached: defaultdict[Kind, set[int]] = defaultdict(set)

    def note_call(self, kind: Kind, samples: int) -> int:
        """The loop has called a module, and a gradient can come to what it gives.

        Returns:
            Which call of its kind it is in this step.
        """
        self._calls[kind].append(samples)
        return len(self._calls[kind]) - 1

    def note_reached(self, kind: Kind, number: int) -> None:
        """A gradient comes to what that call gave."""
        self._reached[kind].add(number)

    @property
    def unlearned(self) -> float:
        """Calls of the step that no gradient came to / those of their kind that one came to, the
        most of any kind. A call of fewer samples than these, as of an agent in its world, is none.
        """
        most = 0.0
        for kind, reached in self._reached.items():
            samples = self._calls[kind]
            least = min(samples[each] for each in reached)
            others = sum(each >= least for each in samples) - len(reached)
            most = max(most, others / len(reached))
        return most

    def note_pass(self, number: int, *, of_data: bool, with_graph: bool) -> None:
        """A gradient comes to an output in a backward pass, as torch numbers them.

        Args:
            of_data: whether it can go on to the network's inputs.
            with_graph: whether what it gives has a gradient.
        """
        self.of_slopes |= of_data and with_graph
        self.plain_slopes |= self._plain is not None and number != self._plain
        if of_data and not with_graph and self._plain is None:
            self._plain = number

    def note_gradient(self, weights: int, *, counts: bool) -> None:
        """A gradient comes to an output.

        Args:
            weights: what changes with the network's weights.
            counts: whether a pass that it begins is one of the loss's.
        """
        if self.given > 0 and counts:
            self.number += 1
            before, self._weights = self._weights, weights
            self.added = self.added + 1 if weights == before else 1
        self.together, self.given = self.given or self.together, 0

    def end_step(self) -> None:
        """The step is over."""
        self.given = self.together = self.number = self.added = 0
        self._calls.clear()
        self._reached.clear()
        self.of_slopes = self.plain_slopes = False
        self._plain = None
