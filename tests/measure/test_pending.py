import pickle

from layerscope.measure.pending import Pending


def test_a_value_is_waited_for_once_and_only_when_looked_at():
    waited = []
    pending = Pending(lambda: waited.append(1) or [7])
    assert waited == []
    assert pending.get() == [7]
    assert pending.get() is pending.get()
    assert waited == [1]


def test_a_value_at_hand_is_itself_even_if_it_is_none():
    value = [7]
    assert Pending.at_hand(value).get() is value
    assert Pending.at_hand(None).get() is None


def test_what_is_made_of_a_value_is_made_once_and_when_looked_at():
    made = []
    pending = Pending.at_hand(3).then(lambda x: made.append(x) or x + 1)
    assert made == []
    assert (pending.get(), pending.get()) == (4, 4)
    assert made == [3]


def test_a_look_that_fails_fails_again():
    pending = Pending(lambda: 1 / 0)
    for _ in range(2):
        try:
            pending.get()
        except ZeroDivisionError:
            continue
        raise AssertionError("a value came out of nothing")


def test_what_has_been_looked_at_can_be_pickled():
    pending = Pending(lambda: [7])
    pending.get()
    assert pickle.loads(pickle.dumps(pending)).get() == [7]
    assert pickle.loads(pickle.dumps(Pending.at_hand(3))).get() == 3
