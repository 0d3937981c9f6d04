"""What the exit code of `train.py` and of `python -m layerscope` says."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, as the shell sees it."""

    FINISHED = 0
    FAILED = 1  # the training raised, or its loss is no number
    BAD_SETTING = 2  # a setting or a file cannot be used: nothing was started
    REFUSED = 4  # it finished, with a finding that monitor.fail_on or --fail-on refuses
    INTERRUPTED = 130  # Ctrl-C: 128 and the number of SIGINT, as shells count
    UNREAD = 141  # nobody reads what it prints: 128 and the number of SIGPIPE
    TERMINATED = 143  # SIGTERM: 128 and 15
