"""How many backward passes come to a network's outputs in a step, and to how many outputs each."""


class BackwardPasses:
    """Is told of outputs, and of gradients that come to them.

    Of outputs that go into one loss the gradients come with no call in between.

    Attributes:
        given: outputs since a gradient came.
        together: outputs of the last pass.
        number: passes of the step.
        added: of these, the last ones between which the weights did not change.
    """

    def __init__(self) -> None:
        self.given = self.together = self.number = self.added = 0
        self._weights = -1

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
