"""What docs/deploy and the workflow say, held against the project: nobody runs them here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = (ROOT / "docs/deploy/compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
EXAMPLE = re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
GUIDE = (ROOT / "docs/deployment.md").read_text()
SECRETS = [name for name in EXAMPLE if name.endswith(("_API_KEY", "_PASSWORD"))]


def test_there_are_secrets_to_speak_of() -> None:
    assert set(SECRETS) == {"OPENAI_API_KEY", "SOURCE_API_KEY", "POSTGRES_PASSWORD", "VALKEY_PASSWORD"}


@pytest.mark.parametrize("service", ["web", "migrate"])
@pytest.mark.parametrize("name", SECRETS)
def test_what_speaks_to_no_api_gets_no_key(service: str, name: str) -> None:
    """The variable of a container wins over its env_file: an empty one takes the key away."""
    assert SERVICES[service]["environment"][name] == ""


def test_workers_get_the_keys_of_the_env_file_and_no_password_of_a_server() -> None:
    worker = SERVICES["worker"]
    assert worker["env_file"] == [{"path": "../../.env"}]
    assert {name for name in SECRETS if worker["environment"].get(name) == ""} == {
        "POSTGRES_PASSWORD",
        "VALKEY_PASSWORD",
    }


@pytest.mark.parametrize("service", ["web", "worker", "migrate"])
def test_both_servers_are_reached_with_a_password(service: str) -> None:
    urls = SERVICES[service]["environment"]
    assert re.fullmatch(
        r"postgresql://console:\$\{POSTGRES_PASSWORD:\?.*\}@postgres/console", urls["DATABASE_URL"]
    )
    assert re.fullmatch(r"redis://:\$\{VALKEY_PASSWORD:\?.*\}@valkey:6379/0", urls["REDIS_URL"])


def test_valkey_asks_for_its_password() -> None:
    assert 'requirepass %s\\n" "$$VALKEY_PASSWORD"' in SERVICES["valkey"]["command"][-1]
    assert SERVICES["valkey"]["environment"] == {"VALKEY_PASSWORD": "${VALKEY_PASSWORD}"}


def test_postgresql_is_asked_by_tcp_whether_it_is_there() -> None:
    check = SERVICES["postgres"]["healthcheck"]["test"]
    assert check[: check.index("-h") + 2] == ["CMD", "pg_isready", "-h", "127.0.0.1"]


def test_every_variable_of_the_compose_file_is_documented() -> None:
    used = set(re.findall(r"(?<!\$)\$\{?([A-Z_]+)", COMPOSE))
    assert used == {"POSTGRES_PASSWORD", "VALKEY_PASSWORD"}
    for name in used:
        assert name in EXAMPLE
        assert name in GUIDE


def test_the_guide_makes_the_first_user_and_reads_the_env_file_also_for_compose() -> None:
    lines = [line for line in GUIDE.splitlines() if line.startswith("docker compose ")]
    assert [line.split()[-1] for line in lines] == ["worker=4", "createsuperuser"]
    for line in lines:
        assert line.startswith("docker compose --env-file .env -f docs/deploy/compose.yaml ")


def test_nothing_but_what_runs_is_copied_into_the_image() -> None:
    first, *rest = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    taken = {line[1:] for line in rest if line.startswith("!")}
    assert first == "*"
    assert taken == {
        "console",
        "migration_app",
        "manage.py",
        "gunicorn.conf.py",
        "requirements/production.txt",
        "templates",
    }
    engines: Any = settings.TEMPLATES
    (pages,) = engines[0]["DIRS"]
    assert pages.relative_to(ROOT).parts[0] in taken
    assert all((ROOT / name).exists() for name in taken)
    assert rest[-2:] == ["**/__pycache__", "**/.env*"]


def test_every_python_that_is_promised_runs_every_check() -> None:
    job = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())["jobs"]["check"]
    assert [each["python"] for each in job["strategy"]["matrix"]["include"]] == ["3.11", "3.12", "3.13"]
    assert "make check" in job["steps"][-1]["run"]
    assert "chromium" in job["steps"][0]["run"]
