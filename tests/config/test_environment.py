"""The environment is read loudly."""

import secrets
import stat
from pathlib import Path

import pytest

from config import environment
from config.environment import BadSetting
from tests.config.live import python


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch):
    return lambda value: monkeypatch.setenv("LAUREL_X", value)


def test_a_wrong_value_names_itself_and_the_remedy(variable):
    variable("maybe")
    with pytest.raises(BadSetting, match=r"LAUREL_X is 'maybe': use 1 or 0"):
        environment.boolean("LAUREL_X", default=False)
    with pytest.raises(BadSetting, match=r"whole number from 1 to 9"):
        environment.integer("LAUREL_X", 5, low=1, high=9)
    with pytest.raises(BadSetting, match=r"use one of a, b"):
        environment.choice("LAUREL_X", ("a", "b"), "a")


def test_a_number_out_of_range_is_refused(variable):
    variable("70000")
    with pytest.raises(BadSetting):
        environment.integer("LAUREL_X", 8000, low=1, high=65535)
    variable("65535")
    assert environment.integer("LAUREL_X", 8000, low=1, high=65535) == 65535


def test_empty_means_the_default(variable):
    variable("  ")
    assert environment.integer("LAUREL_X", 7, low=1, high=9) == 7
    assert environment.boolean("LAUREL_X", default=True) is True
    assert environment.database("LAUREL_X") is None
    assert environment.listing("LAUREL_X") == []


def test_a_database_address_is_taken_apart(variable):
    variable("postgresql://an%40a:p%2Fw@db.example:6432/lau%20rel?sslmode=require")
    assert environment.database("LAUREL_X") == {
        "NAME": "lau rel",
        "USER": "an@a",
        "PASSWORD": "p/w",
        "HOST": "db.example",
        "PORT": "6432",
        "OPTIONS": {"sslmode": "require"},
    }
    variable("postgresql:///laurel?host=/run/postgresql&port=5433")
    found = environment.database("LAUREL_X")
    assert found is not None
    assert (found["HOST"], found["PORT"], found["OPTIONS"]) == ("/run/postgresql", "5433", {})


@pytest.mark.parametrize(
    "url", ["mysql://a:hunter2@h/d", "postgresql://h:5432/", "postgresql://a:hunter2@h:99999/d", "laurel"]
)
def test_a_bad_database_address_is_refused_without_showing_the_password(variable, url):
    variable(url)
    with pytest.raises(BadSetting) as refused:
        environment.database("LAUREL_X")
    assert "hunter2" not in str(refused.value)


def test_a_secret_is_made_once_and_only_for_its_owner(tmp_path: Path):
    path = tmp_path / "secret_key"
    first = environment.secret_key("LAUREL_X", keep_in=path, strict=False)
    assert environment.secret_key("LAUREL_X", keep_in=path, strict=False) == first
    assert len(first) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [child.name for child in tmp_path.iterdir()] == ["secret_key"]
    other = environment.secret_key("LAUREL_X", keep_in=tmp_path / "other", strict=False)
    assert other != first


@pytest.mark.parametrize(
    "weak", ["", "tooshort", "a" * 80, "django-insecure-" + "kx7Q" * 20, "change-me-" + "aB3dE5gH7jK9" * 6]
)
def test_a_weak_secret_is_refused_when_strict(variable, tmp_path: Path, weak):
    variable(weak)
    with pytest.raises(BadSetting) as refused:
        environment.secret_key("LAUREL_X", keep_in=tmp_path / "key", strict=True)
    assert not weak or weak not in str(refused.value)
    assert not (tmp_path / "key").exists()


def test_a_strong_secret_is_taken(variable, tmp_path: Path):
    strong = secrets.token_urlsafe(50)
    variable(strong)
    assert environment.secret_key("LAUREL_X", keep_in=tmp_path / "key", strict=True) == strong


SHOW = "import django; django.setup(); print('started')"


@pytest.mark.slow
def test_production_refuses_to_start_without_a_secret(tmp_path: Path):
    production = {"DJANGO_SETTINGS_MODULE": "config.settings", "LAUREL_ENV": "production"}
    hosts = {"LAUREL_ALLOWED_HOSTS": "laurel.example"}
    key = {"LAUREL_SECRET_KEY": secrets.token_urlsafe(50)}
    refused = python(tmp_path, SHOW, **production, **hosts)
    assert refused.returncode != 0
    assert "LAUREL_SECRET_KEY is not set" in refused.stderr
    assert "LAUREL_ALLOWED_HOSTS is not set" in python(tmp_path, SHOW, **production, **key).stderr
    assert "LAUREL_DEBUG" in python(tmp_path, SHOW, **production, **key, **hosts, LAUREL_DEBUG="1").stderr
    assert python(tmp_path, SHOW, **production, **key, **hosts).stdout == "started\n"


@pytest.mark.slow
def test_the_deployment_check_has_nothing_to_say(tmp_path: Path):
    code = (
        "from django.core.management import execute_from_command_line as run;"
        "run(['manage.py', 'check', '--deploy', '--fail-level', 'WARNING'])"
    )
    checked = python(
        tmp_path,
        code,
        DJANGO_SETTINGS_MODULE="config.settings",
        LAUREL_ENV="production",
        LAUREL_ALLOWED_HOSTS="laurel.example",
        LAUREL_SECRET_KEY=secrets.token_urlsafe(50),
    )
    assert checked.returncode == 0, checked.stderr
