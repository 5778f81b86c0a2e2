"""python -m rewardmodel.leash [--lock FILE] -m MODULE ARGUMENTS: a module that cannot outlive its starter.

Whoever starts this holds the other end of standard input and never writes to it. When that process ends, in
whatever way, the kernel closes the pipe and the whole process group is killed. (PR_SET_PDEATHSIG would not
do: it fires when the *thread* that started the child ends, and workers start children from pools of threads.)

With --lock the file is locked for as long as the process lives and says which process it is, so that nobody
ever works beside a left-over in the same folder.
"""

import fcntl
import os
import runpy
import signal
import socket
import sys
import threading
import time
from pathlib import Path

BUSY = 75  # exit code: another process holds the lock (EX_TEMPFAIL)
PATIENCE_SECONDS = 20.0


def main(arguments: list[str]) -> None:
    lock = None
    if arguments[:1] == ["--lock"]:
        lock, arguments = Path(arguments[1]), arguments[2:]
    if len(arguments) < 2 or arguments[0] != "-m":
        sys.exit("usage: python -m rewardmodel.leash [--lock FILE] -m MODULE ARGUMENTS")
    _fall_with_the_starter()
    _step_back()
    if lock is not None:
        _hold(lock)
    module, sys.argv = arguments[1], arguments[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _fall_with_the_starter() -> None:
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_wait_for_the_end, args=(pipe,), name="leash", daemon=True).start()


def _wait_for_the_end(pipe: int) -> None:
    while os.read(pipe, 64):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _step_back() -> None:
    """Pages come first; and when memory runs out, the kernel takes this process and not the database."""
    os.nice(5)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # 50 times faster on a busy machine
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError:  # another system, or not allowed: it works without
        return


def _hold(lock: Path) -> None:
    """Lock the file until this process ends, and write host and process into it."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                sys.stderr.write(f"{lock} is held by another process: {lock.read_text()}\n")
                sys.exit(BUSY)
            time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{socket.gethostname()} {os.getpid()}".encode(), 0)


if __name__ == "__main__":
    main(sys.argv[1:])
