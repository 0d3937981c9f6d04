"""One training, from a composed config to an exit code: where the lab and the instrument meet.

`train.py` calls it. What imports torch and Lightning, which takes seconds, is imported when a run
has been checked: `experiment` and `ending`.
"""
