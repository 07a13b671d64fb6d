"""Steps that are taken again and again."""

import threading

from parivision.canary.loop import Loop
from parivision.errors import StoreError


def test_a_step_that_fails_stops_neither_the_others_nor_the_loop():
    """A source that is away and a fault of ours: the next steps are taken, and taken again."""
    stop, taken = threading.Event(), []

    def away():
        taken.append("away")
        raise StoreError("MongoDB does not answer")

    def broken():
        taken.append("broken")
        raise ValueError("a fault")

    def last():
        taken.append("last")
        if len(taken) >= 6:
            stop.set()
        loop.wake()

    loop = Loop(away, broken, last, every_s=3600)
    loop.run(stop)
    assert taken == ["away", "broken", "last"] * 2
    assert loop.idle_s() < 60
