"""Through which door a user came in: its name stands in front of every message."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Door:
    """Who drives a session, as its messages say it.

    Attributes:
        name: what the user has typed, such as `watch`.
        no_step: why there may be no step to record, a clause.
        loss_tag: of the scalar that the losses become; None where a logger of the user's has them.
    """

    name: str
    no_step: str
    loss_tag: str | None = None
