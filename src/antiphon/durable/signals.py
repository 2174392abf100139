"""Wake-ups of clients that wait for events of a background response."""

import asyncio


class Signals:
    """Wake-ups inside of one process, by the ID of the response."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def wake(self, run_id: str) -> None:
        """Wake everything that waits for the response."""
        for event in self._waiting.get(run_id, ()):
            event.set()

    def has_listener(self, run_id: str) -> bool:
        """Return whether anything waits for the response."""
        return run_id in self._waiting

    def waited_for(self) -> list[str]:
        """Return the IDs of the responses that something waits for."""
        return [*self._waiting]

    def wake_all(self) -> None:
        """Wake everything that waits."""
        for run_id in self.waited_for():
            self.wake(run_id)

    def listen(self, run_id: str) -> "Listener":
        """Return a listener for `with`."""
        return Listener(self._waiting, run_id)


class Listener:
    """One reader of a response: wake-ups between two waits are not lost."""

    def __init__(self, waiting: dict[str, set[asyncio.Event]], run_id: str) -> None:
        self._waiting = waiting
        self._run_id = run_id
        self._event = asyncio.Event()

    def __enter__(self) -> "Listener":
        self._waiting.setdefault(self._run_id, set()).add(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        events = self._waiting[self._run_id]
        events.discard(self._event)
        if not events:
            del self._waiting[self._run_id]

    async def wait(self, seconds: float) -> None:
        """Wait for the next wake-up, at most for some seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()
