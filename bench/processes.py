"""The processes of the scene: what CPU and memory they take, and on which cores they run."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from demo.process import server_of


class Process:
    """One process of the scene and the CPU that it has used."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._seen = psutil.Process(process.pid)

    def memory(self) -> float:
        """Megabytes that it holds."""
        held: int = self._seen.memory_info().rss
        return held / 2**20

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        times = self._seen.cpu_times()
        return times.user + times.system

    def pin(self, cores: list[int]) -> None:
        """From now on it runs on these cores alone."""
        self._seen.cpu_affinity(cores)

    def check(self) -> None:
        """`RuntimeError` when the process has ended."""
        if self._process.returncode is not None:
            raise RuntimeError(f"a process of the scene ended with {self._process.returncode}")

    async def ended(self) -> bytes:
        """Waits for a command that ends by itself, and returns what it printed; `RuntimeError`
        when it failed.
        """
        printed, _ = await self._process.communicate()
        if self._process.returncode:
            self.check()
        return printed or b""

    async def stop(self) -> None:
        """Asks it to end, and waits."""
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()


class Postgres:
    """All processes of the database server whose folder is `home`."""

    def __init__(self, home: Path) -> None:
        (data,) = home.glob("data-*")
        pid = server_of(data)
        if pid is None:
            raise RuntimeError("the database server of the scene does not run")
        self._first = psutil.Process(pid)

    def cpu(self) -> float:
        """Seconds of CPU so far, with those of sessions that have ended."""
        while True:
            sessions = self._first.children()
            first = self._first.cpu_times()
            ended = first.children_user + first.children_system
            try:
                running = [session.cpu_times() for session in sessions]
            except psutil.NoSuchProcess:
                continue  # one ended in between: its time is now among the first's
            return first.user + first.system + ended + sum(t.user + t.system for t in running)

    def pin(self, cores: list[int]) -> None:
        """From now on it runs on these cores alone, its later sessions too."""
        for process in (self._first, *self._first.children()):
            process.cpu_affinity(cores)


@contextmanager
def pinned(load: list[int], *places: tuple[Process | Postgres, list[int]]) -> Iterator[None]:
    """The calling process, which is the load, has these cores and the others theirs, until the
    end.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, load)
    for process, cores in places:
        process.pin(cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        for process, _ in places:
            process.pin(sorted(before))
