"""Reading the environment, loudly: a wrong value stops the program with its name and the remedy."""

import os
import re
import secrets
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
PLACEHOLDERS = ("insecure", "changeme", "change-me", "change_me", "default", "example", "secret")
SECRET_BYTES = 50
HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


class BadSetting(ImproperlyConfigured):
    """An environment variable holds something Laurel cannot use."""

    def __init__(self, name: str, value: str | None, remedy: str) -> None:
        found = "is not set" if value is None else f"is {value!r}"
        super().__init__(f"{name} {found}: {remedy}")


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    value = text(name, default)
    if value not in allowed:
        raise BadSetting(name, value, f"use one of {', '.join(allowed)}.")
    return value


def boolean(name: str, default: bool) -> bool:
    value = text(name)
    if not value:
        return default
    if value.lower() in TRUE:
        return True
    if value.lower() in FALSE:
        return False
    raise BadSetting(name, value, "use 1 or 0.")


def integer(name: str, default: int, *, low: int, high: int) -> int:
    value = text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise BadSetting(name, value, f"use a whole number from {low} to {high}.") from None
    if not low <= number <= high:
        raise BadSetting(name, value, f"use a whole number from {low} to {high}.")
    return number


def listing(name: str) -> list[str]:
    return [part.strip() for part in text(name).split(",") if part.strip()]


def web_address(name: str) -> str:
    """``https://host[:port][/path]`` without the slash at its end; empty when unset."""
    value = text(name).rstrip("/")
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
        raise BadSetting(name, value, "use the address people open, such as https://laurel.example.")
    return value


def hosts_and_networks(name: str) -> list[str | IPv4Network | IPv6Network]:
    """``10.0.0.0/8, hooks.intranet``: networks as such, anything else a host name."""
    return [_host_or_network(name, part) for part in listing(name)]


def _host_or_network(name: str, part: str) -> str | IPv4Network | IPv6Network:
    try:
        return ip_network(part)
    except ValueError:
        if not HOST_NAME.fullmatch(part) or part.replace(".", "").isdigit():
            remedy = "name hosts (hooks.intranet) or networks (10.0.0.0/8), comma-separated."
            raise BadSetting(name, part, remedy) from None
        return part.lower()


def mail(name: str) -> dict[str, Any] | None:
    """Django's settings of ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://…``; None when unset.

    ``?starttls=0`` is for a relay on one's own machine that knows no TLS.
    """
    url = text(name)
    if not url:
        return None
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    try:
        port = parts.port
    except ValueError:
        raise BadSetting(name, f"{parts.scheme}://…", "its port is not a number from 1 to 65535.") from None
    known = options in ({}, {"starttls": "0"}, {"starttls": "1"})
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/") or not known:
        remedy = (
            "use smtp://user:password@host:587 or smtps://user:password@host:465, ?starttls=0 without TLS."
        )
        raise BadSetting(name, f"{parts.scheme}://…", remedy)
    secure = parts.scheme == "smtps"
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or (465 if secure else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": secure,
        "EMAIL_USE_TLS": not secure and options.get("starttls") != "0",
    }


def folder(name: str, default: Path) -> Path:
    path = Path(text(name, str(default))).expanduser()
    path = path if path.is_absolute() else Path.cwd() / path
    if path.exists() and not path.is_dir():
        raise BadSetting(name, str(path), "it must be a folder, and a file of that name exists.")
    return path.resolve()


def database(name: str) -> dict[str, Any] | None:
    """Django's view of ``postgresql://user:password@host:port/name?sslmode=require``; None when unset."""
    url = text(name)
    if not url:
        return None
    parts = urlsplit(url)
    shown = f"{parts.scheme}://…"
    if parts.scheme not in ("postgres", "postgresql"):
        raise BadSetting(
            name, shown, "Laurel runs on PostgreSQL only: postgresql://user:password@host:5432/name."
        )
    database_name = unquote(parts.path.removeprefix("/"))
    if not database_name or "/" in database_name:
        raise BadSetting(name, shown, "end it with the name of one database: postgresql://…/laurel.")
    try:
        port = parts.port
    except ValueError:
        raise BadSetting(name, shown, "its port is not a number from 1 to 65535.") from None
    options = dict(parse_qsl(parts.query))
    return {
        "NAME": database_name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": options.pop("port", str(port or "")),
        "OPTIONS": options,
    }


def secret_key(name: str, *, keep_in: Path, strict: bool) -> str:
    """The signing key: from the environment, else (never when ``strict``) generated once beside the data."""
    value = text(name)
    if strict:
        remedy = 'make one with: python3 -c "import secrets; print(secrets.token_urlsafe(50))"'
        if not value:
            raise BadSetting(name, None, f"outside development Laurel does not start without it; {remedy}")
        weak = (
            len(value) < SECRET_BYTES or len(set(value)) < 12 or any(p in value.lower() for p in PLACEHOLDERS)
        )
        if weak:
            raise BadSetting(name, "…", f"too short, too regular or a placeholder; {remedy}")
    return value or _kept_secret(keep_in)


def _kept_secret(path: Path) -> str:
    """Read the secret kept at ``path``; the first caller writes it (mode 600, whole or not at all)."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(SECRET_BYTES))
        try:
            os.link(draft, path)  # atomic, and keeps the key of whoever came first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    key = path.read_text().strip()
    if len(key) < SECRET_BYTES:
        raise ImproperlyConfigured(f"{path} holds no usable key: delete it, and everyone signs in again.")
    return key
