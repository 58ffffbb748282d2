"""The generated files are fresh and say what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from paybill_common.config import Settings
from paybill_stack import bootstrap
from tests.architecture.deployment import ROOT
from tools.deployment.databases_sql import databases_sql
from tools.deployment.env_example import COMPOSE_SECRETS, env_example
from tools.deployment.generated import generated_files
from tools.deployment.secrets import compose_env, read_env, write_compose_secrets


@pytest.mark.parametrize("path", sorted(generated_files()))
def test_the_file_is_fresh(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == generated_files()[path], "run `python -m tools.deployment`"


def test_the_example_names_every_setting_with_its_description_and_no_password() -> None:
    text = env_example()
    for name, field in Settings.model_fields.items():
        assert f"# {field.description} (" in text
        assert f"\n# PAYBILL_{name.upper()}=" in text
    assert all(value == "" for name, value in read_env(ROOT / ".env.example").items() if name in COMPOSE_SECRETS)


class Recorder:
    """Stands in for a connection to an empty server and keeps what bootstrap executes."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    async def execute(self, statement: str, *_: Any) -> None:
        self.statements += [part.strip() for part in statement.split(";") if part.strip()]

    async def fetch(self, _statement: str) -> list[Any]:
        return []

    async def close(self, **_: Any) -> None:
        """Nothing to close."""


async def test_the_sql_for_compose_does_what_bootstrap_does(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()

    async def connect(*_: Any, **__: Any) -> Recorder:
        return recorder

    monkeypatch.setattr(asyncpg, "connect", connect)
    await bootstrap.create_databases("postgresql://nowhere/postgres", "secret")
    done = {re.sub(r"PASSWORD '[^']*'", "PASSWORD ?", statement) for statement in recorder.statements}
    assert effects(done) == effects(script_statements(databases_sql()))


def script_statements(script: str) -> set[str]:
    """The script's statements, those behind \\gexec included, passwords blanked."""
    found = set(re.findall(r"SELECT '(CREATE [^']*)' WHERE", script))
    for line in script.splitlines():
        if re.match(r"ALTER|GRANT|REVOKE|SELECT pg_advisory", line):
            found.add(re.sub(r"PASSWORD :'[a-z_]*'", "PASSWORD ?", line.rstrip(";")))
    return found


def effects(statements: set[str]) -> set[str]:
    """What is left at the end: creating a login and setting its attributes is one thing, in one step or two."""
    made = {re.sub(r"^(CREATE|ALTER) ROLE", "ROLE", statement) for statement in statements}
    bare = {each for each in made if re.fullmatch(r"ROLE \w+", each)}
    return {re.sub(r"pg_advisory_lock\(.*\)", "pg_advisory_lock", each) for each in made - bare}


def test_both_scripts_take_the_same_lock() -> None:
    assert f"pg_advisory_lock({bootstrap._LOCK_KEY})" in databases_sql()


def test_secrets_are_random_kept_and_private(tmp_path: Path) -> None:
    write_compose_secrets(tmp_path)
    first = read_env(tmp_path / ".env")
    assert set(first) == set(COMPOSE_SECRETS)
    assert len(set(first.values())) == len(first)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert (tmp_path / "var/compose/keys").stat().st_mode & 0o077 == 0
    keys = {path: path.read_bytes() for path in (tmp_path / "var/compose/keys").iterdir()}
    write_compose_secrets(tmp_path)
    assert read_env(tmp_path / ".env") == first
    assert {path: path.read_bytes() for path in keys} == keys


def test_an_installation_from_before_the_link_key_gets_one_and_keeps_its_clients(tmp_path: Path) -> None:
    write_compose_secrets(tmp_path)
    folder = tmp_path / "var/compose/keys"
    (folder / "link-key.txt").unlink()
    (folder / "clients.json").write_text("the operator's own")
    write_compose_secrets(tmp_path)
    assert len((folder / "link-key.txt").read_text().strip()) >= 32
    assert (folder / "clients.json").read_text() == "the operator's own"


def test_what_the_operator_added_to_the_env_file_stays() -> None:
    assert compose_env({"IMAGE_TAG": "1.2.3"})["IMAGE_TAG"] == "1.2.3"
