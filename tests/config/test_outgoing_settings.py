"""The settings of mail, webhooks and the public address: read loudly, and never shown with a password."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from accounts.addresses import own_address
from config import environment
from config.environment import BadSetting
from tests.config.live import python


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch):
    return lambda value: monkeypatch.setenv("LAUREL_X", value)


def test_a_mail_address_is_taken_apart(variable):
    variable("smtp://ann%40lab:p%3Aw@mail.example")
    assert environment.mail("LAUREL_X") == {
        "EMAIL_HOST": "mail.example",
        "EMAIL_PORT": 587,
        "EMAIL_HOST_USER": "ann@lab",
        "EMAIL_HOST_PASSWORD": "p:w",
        "EMAIL_USE_SSL": False,
        "EMAIL_USE_TLS": True,
    }
    variable("smtps://mail.example")
    secure = environment.mail("LAUREL_X")
    assert secure is not None
    assert (secure["EMAIL_PORT"], secure["EMAIL_USE_SSL"], secure["EMAIL_USE_TLS"]) == (465, True, False)
    variable("smtp://localhost:25?starttls=0")
    plain = environment.mail("LAUREL_X")
    assert plain is not None
    assert (plain["EMAIL_PORT"], plain["EMAIL_USE_TLS"]) == (25, False)
    variable("")
    assert environment.mail("LAUREL_X") is None


@pytest.mark.parametrize(
    "url",
    [
        "http://a:hunter2@mail.example", "smtp://", "smtp://a:hunter2@m.example:99999", "mail.example",
        "smtp://a:hunter2@m.example/x", "smtp://a:hunter2@m.example?starttls=maybe",
    ],
)  # fmt: skip
def test_a_bad_mail_address_is_refused_without_showing_the_password(variable, url):
    variable(url)
    with pytest.raises(BadSetting, match="LAUREL_X") as refused:
        environment.mail("LAUREL_X")
    assert "hunter2" not in str(refused.value)


def test_networks_and_hosts_are_told_apart(variable):
    variable("10.0.0.0/8, Hooks.Intranet ,fd00::/8,192.168.1.7")
    assert environment.hosts_and_networks("LAUREL_X") == [
        ip_network("10.0.0.0/8"),
        "hooks.intranet",
        ip_network("fd00::/8"),
        ip_network("192.168.1.7"),
    ]


@pytest.mark.parametrize("part", ["10.0.0.1/8", "10.0.0.0/33", "http://hooks", "a b", "*", "300.1.1.1", "-a"])
def test_what_is_neither_is_refused(variable, part):
    variable(part)
    with pytest.raises(BadSetting, match="10\\.0\\.0\\.0/8"):
        environment.hosts_and_networks("LAUREL_X")


def test_the_public_address_is_a_web_address(variable):
    variable("https://laurel.example:8443/lab/")
    assert environment.web_address("LAUREL_X") == "https://laurel.example:8443/lab"
    for wrong in ("laurel.example", "ftp://laurel.example", "https://", "https://laurel.example/?a=b"):
        variable(wrong)
        with pytest.raises(BadSetting, match=r"https://laurel\.example"):
            environment.web_address("LAUREL_X")


def test_links_lead_to_the_public_address_or_where_the_server_listens(settings):
    settings.LAUREL_HOST, settings.LAUREL_PORT = "0.0.0.0", 8123  # noqa: S104
    assert own_address() == "http://localhost:8123"
    settings.LAUREL_HOST, settings.SESSION_COOKIE_SECURE = "::2", True
    assert own_address() == "https://[::2]:8123"
    settings.LAUREL_PUBLIC_URL = "https://laurel.example"
    assert own_address() == "https://laurel.example"


SHOW = """
import django; django.setup()
from django.conf import settings as s
print(s.LAUREL_SENDS_MAIL, s.EMAIL_BACKEND.split(".")[-2], s.EMAIL_HOST, s.EMAIL_PORT, s.DEFAULT_FROM_EMAIL)
"""


@pytest.mark.slow
def test_mail_is_sent_only_where_a_server_is_named(tmp_path: Path):
    of = {"DJANGO_SETTINGS_MODULE": "config.settings"}
    assert python(tmp_path, SHOW, **of).stdout.startswith("False dummy localhost 25 Laurel <laurel@")
    named = {"LAUREL_EMAIL_URL": "smtp://m.example:2525", "LAUREL_EMAIL_FROM": "labels@lab.example"}
    assert python(tmp_path, SHOW, **of, **named).stdout == "True smtp m.example 2525 labels@lab.example\n"
