"""Ranks of a distributed training as threads, of which one runs at a time: Triton's interpreter
could not bear two.
"""

import threading


class Ranks:
    """Give `add_up(rank)` to each of `number` threads."""

    def __init__(self, number):
        self.number = number
        self._barrier = threading.Barrier(number)
        self._tensors = [None] * number
        self._turn = threading.Lock()

    def add_up(self, rank):
        def sum_in_place(tensor):
            self._tensors[rank] = tensor.clone()
            self._turn.release()
            try:
                self._barrier.wait()
                total = sum(self._tensors[1:], self._tensors[0].clone())
                self._barrier.wait()
            finally:
                self._turn.acquire()
            tensor.copy_(total)

        return sum_in_place

    def run(self, work):
        """Call work(rank, add_up) on every rank at once; raises what one of them raised."""
        errors = []

        def guarded(rank):
            with self._turn:
                try:
                    work(rank, self.add_up(rank))
                except Exception as error:
                    errors.append(error)
                    self._barrier.abort()

        threads = [threading.Thread(target=guarded, args=(rank,)) for rank in range(self.number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        if errors:
            raise errors[0]
