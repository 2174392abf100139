import asyncio
from collections.abc import Awaitable, Callable

from antiphon.server.http.alarms import Alarms
from tests.server.wires import TurnedLoop, settled


def run(scenario: Callable[[TurnedLoop], Awaitable[list[str]]]) -> list[str]:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        return await scenario(loop)

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        return runner.run(main())


def test_each_rings_at_its_time() -> None:
    async def scenario(loop: TurnedLoop) -> list[str]:
        alarms, seen = Alarms(10), list[str]()
        alarms.set(lambda: seen.append("one"))
        loop.turn(4)
        alarms.set(lambda: seen.append("two"))
        for seconds in (5.9, 0.2, 3.7, 0.3):
            loop.turn(seconds)
            await settled()
            seen.append("-")
        return seen

    assert run(scenario) == ["-", "one", "-", "-", "two", "-"]


def test_those_that_are_cancelled_do_not_ring() -> None:
    async def scenario(loop: TurnedLoop) -> list[str]:
        alarms, seen = Alarms(10), list[str]()
        rings = [lambda: seen.append("one"), lambda: seen.append("two"), lambda: seen.append("three")]
        for ring in rings:
            alarms.set(ring)
        alarms.cancel(rings[0])
        alarms.cancel(rings[2])
        alarms.cancel(rings[2])
        loop.turn(11)
        await settled()
        alarms.cancel(rings[1])
        return seen

    assert run(scenario) == ["two"]


def test_who_rings_may_set_another_and_cancel_one_that_is_due() -> None:
    async def scenario(loop: TurnedLoop) -> list[str]:
        alarms, seen = Alarms(10), list[str]()

        def again() -> None:
            seen.append("again")
            if len(seen) < 3:
                alarms.set(again)

        alarms.set(again)
        for _ in range(4):
            loop.turn(11)
            await settled()
        return seen

    assert run(scenario) == ["again"] * 3


def test_one_timer_serves_all() -> None:
    """This is their purpose: a thousand requests each set a timeout and cancel it."""

    class Counting(TurnedLoop):
        timers = 0

        def call_at(self, *arguments: object, **more: object) -> asyncio.TimerHandle:
            self.timers += 1
            return super().call_at(*arguments, **more)  # type: ignore[arg-type]

    async def scenario() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Counting)
        alarms = Alarms(10)
        for number in range(1000):

            def ring(number: int = number) -> None:
                raise AssertionError(number)

            alarms.set(ring)
            loop.turn(0.001)
            alarms.cancel(ring)
        await settled()
        return loop.timers

    with asyncio.Runner(loop_factory=Counting) as runner:
        assert runner.run(scenario()) == 1
