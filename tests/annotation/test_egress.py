"""Requests to addresses that people typed in never reach what only this machine can reach."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network

import pytest

from annotation import egress
from annotation.egress import EgressError, destination, is_public, post
from tests.annotation.listening import Listener, listening

HERE = [ip_network("127.0.0.0/8")]
EXAMPLE = "93.184.215.14"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as made:
        yield made


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Where somebody tried to connect to; only this machine is let through."""
    tried: list[object] = []

    class Watched(socket.socket):
        def connect(self, address: tuple[str, int]) -> None:  # type: ignore[override]
            tried.append(address[0])
            if address[0] != "127.0.0.1":
                raise ConnectionRefusedError(111, "Connection refused")
            super().connect(address)

    monkeypatch.setattr(socket, "socket", Watched)
    return tried


def resolves(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names stand for these addresses, another list each time somebody asks; who was asked for."""
    asked: list[str] = []

    def resolve(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in found]
        return [(family, 1, 6, "", (one, port)) for family, one in zip(families, found, strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def refused(url: str, **options: object) -> str:
    with pytest.raises(EgressError) as error:
        post(url, b"{}", {}, **options)  # type: ignore[arg-type]
    return str(error.value)


def test_it_arrives_where_it_is_allowed(listener: Listener) -> None:
    assert post(f"{listener.url}?token=1", b'{"a":1}', {"Laurel-Event": "test"}, allowed=HERE) == 204
    headers, body = listener.received[0]
    assert body == b'{"a":1}'
    assert headers["laurel-event"] == "test"
    assert headers["host"] == f"127.0.0.1:{listener.port}"
    assert listener.paths == ["/hook?token=1"]


def test_a_host_is_allowed_by_its_name_and_keeps_it(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(monkeypatch, ["127.0.0.1"])
    url = f"http://Hooks.Intranet:{listener.port}/"
    assert refused(url, allowed=["other.intranet"]) == "private 127.0.0.1"
    assert refused(url, allowed=["intranet"]) == "private 127.0.0.1"
    assert listener.connections == 0
    assert post(url, b"", {}, allowed=["hooks.intranet"]) == 204
    assert listener.received[0][0]["host"] == f"hooks.intranet:{listener.port}"


EVIL = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "localhost", "127.0.0.1.",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[fe80::1]",
    "[fc00::1]", "[fec0::1]", "[ff02::1]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "[fd00:ec2::254]", "１２７.0.0.1", "[2001:db8::1]", "203.0.113.9",
]  # fmt: skip


@pytest.mark.parametrize("host", EVIL)
def test_what_is_not_public_is_not_dialled(host: str, listener: Listener, dialled: list[object]) -> None:
    why = refused(f"http://{host}:{listener.port}/")
    assert why.split()[0] in ("private", "name"), why  # a name where this machine has no such family
    assert dialled == []
    assert listener.connections == 0


def test_control_the_same_request_without_the_check_arrives(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "is_public", lambda address: True)
    post(f"http://2130706433:{listener.port}/", b"", {})
    assert listener.connections == 1


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.org/", "//example.org/", "example.org",
        "http://", "http:///x", "http://user:pw@example.org/", "http://user@example.org/",
        "http://example.org:0/", "http://example.org:99999/", "http://exa mple.org/", "http://e.org/\r\nX: y",
        "http://example.org\\@127.0.0.1/", "javascript:alert(1)", "http://[::1", "https://" + "a" * 1000,
        "http://" + "a" * 64 + ".org/", "http://a..b/", "http://e.org/ü",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused_unseen(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolves(monkeypatch, [EXAMPLE])
    assert refused(url) == "url"
    assert asked == []


def test_a_redirect_is_not_followed(listener: Listener) -> None:
    with listening() as inside:
        for status in (301, 302, 303, 307, 308):
            listener.answer = (status, {"Location": inside.url})
            assert refused(listener.url, allowed=HERE) == f"redirect {status}"
        assert inside.connections == 0
    assert listener.connections == 5


def test_a_name_that_answers_differently_is_asked_once(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, dialled: list[object]
) -> None:
    asked = resolves(monkeypatch, [EXAMPLE], ["127.0.0.1"])
    assert refused(f"http://evil.example:{listener.port}/") == "unreachable Connection refused"
    assert asked == ["evil.example"]
    assert dialled == [EXAMPLE], "the address that was checked"
    assert listener.connections == 0


@pytest.mark.parametrize("answer", [[EXAMPLE, "127.0.0.1"], ["10.0.0.1", EXAMPLE], [EXAMPLE, "::1"]])
def test_one_bad_address_among_good_ones_refuses_the_name(
    answer: list[str], monkeypatch: pytest.MonkeyPatch, dialled: list[object]
) -> None:
    resolves(monkeypatch, answer)
    assert refused("https://mixed.example/").startswith("private ")
    assert dialled == []


def test_the_next_address_is_tried(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, dialled: list[object]
) -> None:
    resolves(monkeypatch, [EXAMPLE, "127.0.0.1"])
    assert post(f"http://two.example:{listener.port}/", b"", {}, allowed=HERE) == 204
    assert dialled == [EXAMPLE, "127.0.0.1"]


def test_proxies_of_the_environment_are_not_used(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        post(listener.url, b"", {}, allowed=HERE)
        assert proxy.connections == 0
    assert listener.connections == 1


@pytest.mark.parametrize("status", [400, 404, 410, 500, 503])
def test_a_status_that_is_no_success_is_an_error(listener: Listener, status: int) -> None:
    listener.answer = (status, {})
    assert refused(listener.url, allowed=HERE) == f"status {status}"


def test_public_addresses_are_public() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700:4700::1111")
    assert destination("https://Bücher.example:8443/a?b=c") == egress.Destination(
        True, "xn--bcher-kva.example", 8443, "/a?b=c"
    )


# --- servers that do not behave ---------------------------------------------------------------------


@contextmanager
def server_that(sends: list[bytes], pause: float = 0.0) -> Iterator[str]:
    """A server that says these things, one after another, whatever it is asked; then waits for the end."""
    door = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        caller, _ = door.accept()
        with caller:
            for part in sends:
                try:
                    caller.sendall(part)
                except OSError:
                    return
                if over.wait(pause):
                    return
            if pause:
                over.wait(20)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}/"
    finally:
        over.set()
        door.close()
        thread.join()


@pytest.mark.slow
def test_a_server_that_says_nothing_or_drips_is_cut_off() -> None:
    with server_that([b""], pause=0.01) as url:
        assert refused(url, allowed=HERE, seconds=0.3) == "slow"
    with server_that([b"HTTP/1.1 200 OK\r\n", *[b"X-Drip: 1\r\n"] * 90], pause=0.1) as url:
        assert refused(url, allowed=HERE, seconds=0.5) == "slow"


def test_a_server_that_talks_for_ever_is_not_listened_to() -> None:
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000
    with server_that([endless] * 1, pause=0.01) as url:
        assert post(url, b"", {}, allowed=HERE) == 200, "the body is not waited for"
    with server_that([b"HTTP/1.1 200 " + b"x" * 200_000]) as url:
        assert refused(url, allowed=HERE).split()[0] == "garbled"


def test_nonsense_and_a_closed_port_are_told_apart() -> None:
    with server_that([b"SSH-2.0-OpenSSH_9\r\n"]) as url:
        assert refused(url, allowed=HERE).split()[0] == "garbled"
        https = url.replace("http:", "https:")
    assert refused(https, allowed=HERE) == "unreachable Connection refused"


def test_a_certificate_that_nobody_vouches_for_is_refused(listener: Listener) -> None:
    assert refused(f"https://127.0.0.1:{listener.port}/", allowed=HERE).split()[0] == "tls"
