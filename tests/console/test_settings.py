from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = {
    "SECRET_KEY": "k" * 50,
    "DATABASE_URL": "postgresql://u:p@localhost/x",
    "REDIS_URL": "redis://localhost:6379/0",
    "CONSOLE_ENV_FILE": "",
}
READS = re.compile(
    r"""(?:env\.(?:str|list|db_url)\(\s*|(?:strict_bool|positive_int|whole_number)\(\s*env,\s*|os\.environ(?:\.get\(|\[)\s*)"""
    r"""["']([A-Z][A-Z0-9_]{3,})["']"""
)
NOT_SETTINGS = {"DJANGO_SETTINGS_MODULE", "CONSOLE_DEMO_ENTERED", "XDG_STATE_HOME", "PYTEST_XDIST_WORKER"}


SHOWN = "s.DEBUG, s.SECURE_SSL_REDIRECT, s.LEASE_SECONDS"


def settings_with(show: str = SHOWN, **environment: str) -> subprocess.CompletedProcess[str]:
    code = f"from django.conf import settings as s; print({show})"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "console.settings", "PATH": "/usr/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_variable_that_the_code_reads_stands_in_the_example_file_and_no_other() -> None:
    read = set(REQUIRED)
    for path in [*(ROOT / "console").rglob("*.py"), *(ROOT / "migration_app").rglob("*.py")]:
        if "sandbox" not in path.parts:
            read |= set(READS.findall(path.read_text()))
    read |= {"OPENAI_ORG_ID", "OPENAI_PROJECT_ID"}  # the SDK reads these by itself
    read |= {"POSTGRES_PASSWORD", "VALKEY_PASSWORD"}  # docs/deploy/compose.yaml
    example = set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert example == read - NOT_SETTINGS


def test_without_a_word_about_it_the_console_is_in_production_mode() -> None:
    assert settings_with(**REQUIRED).stdout.split() == ["False", "True", "120"]


def test_a_database_connection_ends_when_the_network_is_silent_and_the_url_can_say_otherwise() -> None:
    shown = "s.DATABASES['default']['OPTIONS']"
    defaults = {
        "connect_timeout": 10,
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
    }
    assert ast.literal_eval(settings_with(shown, **REQUIRED).stdout) == defaults
    url = f"{REQUIRED['DATABASE_URL']}?connect_timeout=3&tcp_user_timeout=0&sslmode=require"
    result = settings_with(shown, **{**REQUIRED, "DATABASE_URL": url})
    said = {"connect_timeout": 3, "tcp_user_timeout": 0, "sslmode": "require"}
    assert ast.literal_eval(result.stdout) == {**defaults, **said}


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL"])
def test_a_required_variable_has_no_default(name: str) -> None:
    result = settings_with(**{key: value for key, value in REQUIRED.items() if key != name})
    assert result.returncode != 0
    assert name in result.stderr


def test_a_misspelt_boolean_stops_the_start() -> None:
    result = settings_with(**REQUIRED, DEBUG="flase")
    assert result.returncode != 0
    assert "DEBUG is 'flase'" in result.stderr


def test_a_number_that_is_none_stops_the_start() -> None:
    result = settings_with(**REQUIRED, LEASE_SECONDS="2m")
    assert result.returncode != 0
    assert "LEASE_SECONDS is '2m'" in result.stderr


@pytest.mark.parametrize("name", ["TARGET_REQUESTS_PER_MINUTE", "TARGET_ITEMS_PER_MINUTE"])
@pytest.mark.parametrize("text", ["-1", "60/s", "", "1.5", "٣"])
def test_a_limit_that_is_no_number_stops_the_start(name: str, text: str) -> None:
    result = settings_with(**REQUIRED, **{name: text})
    assert result.returncode != 0
    assert f"{name} is {text!r}: use zero or a whole number above it." in result.stderr


def test_a_limit_of_zero_means_none() -> None:
    assert settings_with(**REQUIRED, TARGET_REQUESTS_PER_MINUTE="0").returncode == 0


def test_another_database_than_postgresql_stops_the_start() -> None:
    result = settings_with(**{**REQUIRED, "DATABASE_URL": "sqlite:///x"})
    assert result.returncode != 0
    assert "PostgreSQL" in result.stderr


def test_no_setting_holds_an_api_key() -> None:
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "import django; django.setup(); from django.conf import settings; print(vars(settings._wrapped))",
        ],
        cwd=ROOT,
        env={
            "DJANGO_SETTINGS_MODULE": "console.settings",
            **REQUIRED,
            "OPENAI_API_KEY": "sk-very-secret",
            "SOURCE_API_KEY": "sk-source-secret",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "LEASE_SECONDS" in result.stdout
    assert "sk-very-secret" not in result.stdout
    assert "sk-source-secret" not in result.stdout


def test_a_forgotten_variable_is_explained_by_manage_py() -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"CONSOLE_ENV_FILE": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "SECRET_KEY" in result.stderr
    assert ".env.example" in result.stderr
