"""The supervisor behind ``./laurel up``: runs the Procfile and keeps it running.

Built from honcho's Procfile parser, process and printer. Unlike honcho, a process that dies is started again,
and the embedded database is watched too; only what dies again and again stops everything. Readers are
threads, not forked processes, so the locks this process holds are gone the moment it is.
"""

import os
import queue
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import IO

from honcho.colour import get_colours
from honcho.environ import parse_procfile
from honcho.printer import Message, Printer
from honcho.process import Process

from config import embedded
from config.leftovers import DATA, MEMBER, end_leftovers

DEATHS_PER_MINUTE = 5
WEB_SECONDS = 15
WORKER_SECONDS = 10
KILL_SECONDS = 5
DATABASE_CHECK_SECONDS = 1.0


@dataclass
class Member:
    """One line of the Procfile and what became of it."""

    name: str
    command: str
    colour: str
    pid: int | None = None
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS_PER_MINUTE + 1))
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    start_at: float | None = 0.0  # None: it runs

    def died(self, now: float) -> bool:
        """Plan the next start, a little later each time. False: it died too often."""
        self.pid = None
        self.deaths.append(now)
        recent = sum(1 for death in self.deaths if now - death < 60)
        self.start_at = now + min(2.0 ** (recent - 1), 16) / 2
        return recent <= DEATHS_PER_MINUTE


class WatchedProcess(Process):  # type: ignore[misc]  # honcho has no types
    """A process that is over when it ends, not when its last child lets go of its output.

    Children of a killed one are ended before it starts again: two of a kind would get in each other's way.
    """

    def run(self, events: "queue.Queue[Message]", ignore_signals: bool = False) -> None:
        self._events = events
        child = self._child_ctor(self.cmd, env=self.env, cwd=self.cwd)
        self._send_message({"pid": child.pid}, type="start")
        reader = threading.Thread(target=self._relay, args=(child.stdout,), daemon=True)
        reader.start()
        child.wait()
        end_leftovers(Path(self.env[DATA]), member=self.name)
        reader.join(timeout=2)
        self._send_message({"returncode": child.returncode}, type="stop")

    def _relay(self, output: IO[bytes]) -> None:
        for line in output:
            self._send_message(line)


class Supervisor:
    """Runs the members until told to stop; ``run`` returns the exit code."""

    def __init__(
        self, procfile: Path, *, data: Path, environment: dict[str, str], watch_database: bool
    ) -> None:
        lines = parse_procfile(procfile.read_text()).processes
        self.members = {
            name: Member(name, command, colour)
            for (name, command), colour in zip(lines.items(), cycle(get_colours()), strict=False)
        }
        self.data = data
        self.environment = environment | {DATA: str(data)}
        self.folder = procfile.parent
        self.watch_database = watch_database
        self.events: queue.Queue[Message] = queue.Queue()
        self.printer = Printer(sys.stdout)
        self.printer.width = max(map(len, [*self.members, "laurel"]))
        self.stop_requested = 0
        self.failure: str | None = None
        self._database_thread: threading.Thread | None = None
        self._database_deaths: deque[float] = deque(maxlen=DEATHS_PER_MINUTE + 1)
        self._next_database_check = 0.0

    def run(self, when_started: Callable[[], None] | None = None) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        if when_started is not None:
            threading.Thread(target=when_started, name="announce", daemon=True).start()
        while not self.stop_requested and self.failure is None:
            self._step()
        self._stop_everything()
        if self.failure is not None:
            self.say(self.failure)
            return 1
        return 0

    def say(self, text: str) -> None:
        self.printer.write(Message("line", text, datetime.now(), "laurel", None))  # noqa: DTZ005  the reader's clock

    def pids(self) -> dict[str, int | None]:
        return {name: member.pid for name, member in self.members.items()}

    # --- while running ---------------------------------------------------------------------------

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requested += 1

    def _step(self) -> None:
        self._handle_events(0.1)
        now = time.monotonic()
        if self.watch_database and now >= self._next_database_check:
            self._next_database_check = now + DATABASE_CHECK_SECONDS
            if not self._database_is_well(now):
                return
        if self._database_thread is not None:
            return
        for member in self.members.values():
            if member.start_at is not None and now >= member.start_at:
                self._start(member)

    def _start(self, member: Member) -> None:
        member.start_at = None
        marked = self.environment | {MEMBER: member.name}
        process = WatchedProcess(
            member.command, name=member.name, colour=member.colour, env=marked, cwd=self.folder
        )
        threading.Thread(target=process.run, args=(self.events,), name=member.name, daemon=True).start()

    def _handle_events(self, wait: float) -> None:
        """Print what the processes say; notice that one has started or died."""
        try:
            message = self.events.get(timeout=wait)
        except queue.Empty:
            return
        member = self.members[message.name]
        if message.type == "line":
            line = message.data.decode("utf-8", "replace").rstrip("\n")
            member.last_lines.append(line)
            self.printer.write(message._replace(data=line))
        elif message.type == "start":
            member.pid = message.data["pid"]
        elif message.type == "stop":
            self._member_stopped(member, message.data["returncode"])

    def _member_stopped(self, member: Member, code: int) -> None:
        if self.stop_requested or self.failure is not None:
            member.pid, member.start_at = None, None
            return
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        if member.died(time.monotonic()):
            self.say(f"{member.name} {how}; it starts again")
            return
        words = "\n".join(f"    {line}" for line in member.last_lines)
        self.failure = (
            f"{member.name} {how}, the {DEATHS_PER_MINUTE + 1}th time within a minute: "
            f"everything was stopped. Its last lines:\n{words}"
        )

    # --- the database ----------------------------------------------------------------------------

    def _database_is_well(self, now: float) -> bool:
        """Start the database again when it is gone, in a thread: recovery may take its time."""
        if self._database_thread is not None:
            if self._database_thread.is_alive():
                return False
            self._database_thread = None
        if embedded.is_running(self.data):
            return True
        self._database_deaths.append(now)
        if sum(1 for death in self._database_deaths if now - death < 60) > DEATHS_PER_MINUTE:
            self.failure = f"PostgreSQL died again and again: see {self.data / 'log' / 'postgres.log'}."
            return False
        self.say("PostgreSQL is gone; it starts again")
        self._database_thread = threading.Thread(target=self._revive_database, name="database", daemon=True)
        self._database_thread.start()
        return False

    def _revive_database(self) -> None:
        begun = time.monotonic()
        try:
            embedded.ensure_running(self.data)
        except (embedded.EmbeddedDatabaseError, OSError) as error:
            self.failure = f"PostgreSQL did not come back: {error}"
            return
        self.say(f"PostgreSQL is back after {time.monotonic() - begun:.1f} s")

    # --- the end ---------------------------------------------------------------------------------

    def _stop_everything(self) -> None:
        """The web server first, so that nobody starts new work; then the others; then whatever is left."""
        self.say("stopping")
        web = [member for member in self.members.values() if member.name.startswith("web")]
        others = [member for member in self.members.values() if member not in web]
        for group, patience in ((web, WEB_SECONDS), (others, WORKER_SECONDS)):
            self._signal(group, signal.SIGTERM)
            self._wait(group, patience)
            self._signal(group, signal.SIGKILL)  # a training worker in the middle: the run resumes later
            self._wait(group, KILL_SECONDS)
        end_leftovers(self.data)
        if self.failure is None:
            self.say("everything is stopped")

    def _signal(self, group: list[Member], number: signal.Signals) -> None:
        """Ask the head of each process group, who knows how to end its children; kill the whole group."""
        for member in group:
            if member.pid is None:
                continue
            send = os.killpg if number == signal.SIGKILL else os.kill
            try:
                send(member.pid, number)
            except ProcessLookupError:
                continue

    def _wait(self, group: list[Member], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        asked = self.stop_requested
        while any(member.pid for member in group) and time.monotonic() < deadline:
            self._handle_events(0.1)
            if self.stop_requested > asked:  # asked again: no more patience
                return
