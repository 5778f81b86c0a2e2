"""``./laurel up``, ``down`` and ``status``: one running Laurel for each data folder."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from config import embedded, environment
from config.leftovers import end_leftovers
from config.processes import Supervisor
from config.running import Running, answers, is_up, read_state, take_lock, write_state

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 300
DOWN_SECONDS = 120


class LaunchError(RuntimeError):
    """Laurel cannot be started or stopped as asked; the message says why and what to do."""


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    if options.data_dir:
        os.environ["LAUREL_DATA_DIR"] = options.data_dir
    try:
        data = environment.folder("LAUREL_DATA_DIR", ROOT / ".laurel")
        os.environ["LAUREL_DATA_DIR"] = str(data)
        if options.word == "status":
            return status(data, as_json=options.json)
        if options.word == "down":
            return down(data)
        host = options.host or environment.text("LAUREL_HOST", "127.0.0.1")
        os.environ["LAUREL_HOST"] = host
        if options.port:
            os.environ["LAUREL_PORT"] = str(options.port)
        port = environment.integer("LAUREL_PORT", 8000, low=1, high=65535)
        if options.detach:
            return _detach(data, arguments)
        sample, detached = not options.no_sample, options.detached
        return up(data, host=host, port=port, sample=sample, detached=detached)
    except (LaunchError, embedded.EmbeddedDatabaseError, environment.BadSetting) as error:
        sys.stderr.write(f"laurel: {error}\n")
        return 1


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./laurel")
    words = parser.add_subparsers(dest="word", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data-dir", help="where everything is kept (default: .laurel, or LAUREL_DATA_DIR)")
    start = words.add_parser("up", parents=[common], help="start everything")
    start.add_argument("--host", help="address to listen on (default 127.0.0.1, or LAUREL_HOST)")
    start.add_argument("--port", type=int, help="port to listen on (default 8000, or LAUREL_PORT)")
    start.add_argument("--no-sample", action="store_true", help="leave the sample project out")
    start.add_argument("--detach", action="store_true", help="go on in the background until ./laurel down")
    start.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)
    words.add_parser("down", parents=[common], help="stop everything")
    ask = words.add_parser("status", parents=[common], help="say what runs; exit code 3 when nothing does")
    ask.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args(arguments)


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# --- up --------------------------------------------------------------------------------------------


def up(data: Path, *, host: str, port: int, sample: bool, detached: bool) -> int:
    embedded.make_data_folder(data)
    lock = take_lock(data)
    if lock is None:
        raise LaunchError(_already_runs(data))
    _need_free_port(host, port)
    if ended := end_leftovers(data):
        tell(f"  ended {ended} processes that a killed Laurel had left behind")
    managed = not environment.text("DATABASE_URL")
    if managed:
        _start_database(data)
    links = _prepare(*([] if sample else ["--no-sample"]), *(["--no-links"] if detached else []))
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host  # noqa: S104
    shown = f"[{shown}]" if ":" in shown else shown
    probe = "127.0.0.1" if host == "0.0.0.0" else "[::1]" if host == "::" else host  # noqa: S104
    address, question = f"http://{shown}:{port}/", f"http://{probe}:{port}/readyz"
    running = Running(os.getpid(), address, question, time.time(), ready=False)
    write_state(data, running)
    supervisor = Supervisor(ROOT / "Procfile", data=data, environment=_environment(), watch_database=managed)
    try:
        code = supervisor.run(
            when_started=lambda: _announce(data, running, supervisor, None if detached else links)
        )
    finally:
        (data / "run" / "up.json").unlink(missing_ok=True)
        if managed:
            stopped = embedded.release(data)
            supervisor.say(
                "PostgreSQL is stopped" if stopped else "PostgreSQL goes on: another command uses it"
            )
    return code


def _already_runs(data: Path) -> str:
    running = read_state(data)
    where = f" at {running.address} (process {running.pid})" if running else ", just starting"
    return f"Laurel already runs on {data}{where}. Stop it with ./laurel down, or choose another --data-dir."


def _need_free_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LaunchError(f"cannot listen on {host} port {port}: {error.strerror}. Try --port.") from None


def _start_database(data: Path) -> None:
    begun = time.monotonic()
    fresh = not (embedded.cluster_folder(data) / "PG_VERSION").exists()
    embedded.ensure_running(data)
    title = "PostgreSQL, made and started" if fresh else "PostgreSQL"
    sys.stderr.write(f"  {title:<46} {time.monotonic() - begun:6.1f} s\n")


def _prepare(*words: str) -> str:
    """Run the preparation in a process of its own; returns the sign-in links it made."""
    command = [sys.executable, "-m", "config.preparation", *words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise LaunchError("the preparation failed: nothing was started.")
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    """What the processes see: this Python's programs first."""
    here = str(Path(sys.executable).parent)
    return dict(os.environ) | {
        "PATH": f"{here}:{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
    }


def _announce(data: Path, running: Running, supervisor: Supervisor, links: str | None) -> None:
    """When the pages answer, say where and how to sign in."""
    deadline = time.monotonic() + READY_SECONDS
    while not answers(running.probe):
        if supervisor.stop_requested or supervisor.failure is not None:
            return
        if time.monotonic() > deadline:
            supervisor.failure = f"no page answered at {running.address} within {READY_SECONDS} s."
            return
        time.sleep(0.2)
    write_state(data, replace(running, ready=True))
    if links is not None:
        tell(block(data, running, links, stop="Ctrl-C"))


def block(data: Path, running: Running, links: str, *, stop: str) -> str:
    indented = "\n".join(f"  {line}" for line in links.splitlines())
    parts = [f"  Laurel is ready:  {running.address}", indented, f"  Data: {data}\n  Stop: {stop}"]
    rule = "─" * 78
    return "\n".join(["", rule, "\n\n".join(part for part in parts if part.strip()), rule, ""])


def _detach(data: Path, arguments: list[str]) -> int:
    """Start ``up`` in a session of its own and wait until it answers or fails."""
    embedded.make_data_folder(data)
    log = data / "log" / "up.log"
    begin = log.stat().st_size if log.exists() else 0
    rest = [word for word in arguments if word != "--detach"]
    command = [sys.executable, "-m", "config.launch", *rest, "--detached"]
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    while child.poll() is None:
        running = read_state(data)
        if running is not None and running.ready and running.pid == child.pid:
            stop = "./laurel down" + ("" if data == ROOT / ".laurel" else f" --data-dir {data}")
            tell(block(data, running, _prepare("--links-only"), stop=stop))
            return 0
        time.sleep(0.2)
    sys.stderr.write(log.read_bytes()[begin:].decode(errors="replace"))
    return child.returncode or 1


# --- down and status -------------------------------------------------------------------------------


def down(data: Path) -> int:
    if not is_up(data):
        ended = end_leftovers(data) if data.exists() else 0
        extra = f" ({ended} processes left behind by a killed one were ended)" if ended else ""
        tell(f"Laurel does not run on {data}{extra}.")
        return 0
    running = read_state(data)
    if running is None:
        raise LaunchError(f"Laurel on {data} is just starting: try again in a moment.")
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while is_up(data):
        if time.monotonic() > deadline:
            raise LaunchError(f"process {running.pid} does not stop; kill it, then run ./laurel down again.")
        time.sleep(0.1)
    tell(f"Laurel on {data} is stopped.")
    return 0


def status(data: Path, *, as_json: bool) -> int:
    """Exit code 0 when it runs and answers, 3 when it does not."""
    running = read_state(data) if is_up(data) else None
    well = running is not None and answers(running.probe)
    told = {
        "running": running is not None,
        "ready": well,
        "address": running.address if running else None,
        "pid": running.pid if running else None,
        "seconds": round(time.time() - running.started_at) if running else None,
        "database": embedded.is_running(data),
        "data": str(data),
    }
    if as_json:
        tell(json.dumps(told))
    elif running is None:
        tell(f"Laurel does not run on {data}.")
    else:
        health = "answers" if well else "does not answer"
        tell(f"Laurel {health} at {running.address} (process {running.pid}, data in {data}).")
    return 0 if well else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
