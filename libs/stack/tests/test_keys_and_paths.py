import hashlib
import json
import stat
from pathlib import Path

import jwt
import pytest

from paybill_stack import StackError, bootstrap, keys, paths


class TestKeys:
    def test_a_token_signed_with_the_key_verifies_with_the_published_set(self, tmp_path: Path) -> None:
        files = keys.ensure_keys(tmp_path / "keys")
        published = jwt.PyJWKSet.from_dict(json.loads(files.jwks.read_text())).keys[0]
        token = jwt.encode(
            {"sub": "paybill-cli"},
            files.signing_key.read_text(),
            algorithm=keys.ALGORITHM,
            headers={"kid": published.key_id},
        )
        assert jwt.decode(token, published.key, algorithms=[keys.ALGORITHM])["sub"] == "paybill-cli"

    def test_the_published_set_holds_no_private_part(self, tmp_path: Path) -> None:
        files = keys.ensure_keys(tmp_path / "keys")
        assert "d" not in json.loads(files.jwks.read_text())["keys"][0]

    def test_a_second_start_keeps_keys_and_secrets(self, tmp_path: Path) -> None:
        first = keys.ensure_keys(tmp_path / "keys")
        before = (first.signing_key.read_bytes(), first.link_key.read_bytes(), first.client_secret("paybill-cli"))
        second = keys.ensure_keys(
            tmp_path / "keys", [*keys.DEFAULT_CLIENTS, keys.Client("another", ("read",), ("agency-1",))]
        )
        assert (
            second.signing_key.read_bytes(),
            second.link_key.read_bytes(),
            second.client_secret("paybill-cli"),
        ) == before
        listed = {client["client_id"]: client for client in json.loads(second.clients.read_text())["clients"]}
        assert (
            listed["another"]["secret_sha256"] == hashlib.sha256(second.client_secret("another").encode()).hexdigest()
        )

    def test_files_are_for_the_owner_only(self, tmp_path: Path) -> None:
        files = keys.ensure_keys(tmp_path / "keys")
        assert {stat.S_IMODE(path.stat().st_mode) for path in files.folder.iterdir()} == {0o600}
        assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700

    def test_an_unknown_client_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(StackError, match="'nobody'"):
            keys.ensure_keys(tmp_path / "keys").client_secret("nobody")


class TestPaths:
    @pytest.mark.parametrize("name", ["", "../demo", "Dev", "a b", "-x", "x" * 32])
    def test_an_instance_name_cannot_leave_its_folder(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(StackError, match="is not allowed"):
            paths.InstancePaths.of(name, tmp_path)

    def test_the_repository_is_found(self) -> None:
        assert (paths.repo_root() / "Makefile").is_file()

    def test_as_root_a_closed_folder_keeps_its_permissions_and_postgres_lives_elsewhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed = tmp_path / "home"
        closed.mkdir(mode=0o700)
        elsewhere = tmp_path / "elsewhere"
        monkeypatch.setattr(paths, "is_root", lambda: True)
        monkeypatch.setattr(paths, "shared_place", lambda var: elsewhere)
        assert paths.InstancePaths.of("dev", closed / "var").postgres_home() == elsewhere / "dev" / "postgres"
        monkeypatch.setattr(paths, "others_may_enter", lambda folder: True)
        monkeypatch.setattr(paths, "_HOMES", (tmp_path / "homes",))
        assert (
            paths.InstancePaths.of("dev", tmp_path / "homes" / "me").postgres_home() == elsewhere / "dev" / "postgres"
        )
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700

    def test_an_ordinary_user_keeps_everything_in_var(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(paths, "is_root", lambda: False)
        instance = paths.InstancePaths.of("dev", tmp_path)
        assert instance.postgres_home() == tmp_path / "dev" / "postgres"


class TestDatabaseUrls:
    def test_names_follow_service_and_role(self) -> None:
        urls = bootstrap.database_urls("postgresql://postgres:x@127.0.0.1:25432/postgres", "s", "pay-calc")
        assert urls.api.startswith("postgresql+asyncpg://paybill_pay_calc_api:")
        assert urls.api.endswith("@127.0.0.1:25432/paybill_pay_calc")
        assert urls.dsn("owner").startswith("postgresql://paybill_pay_calc_owner:")
        assert len({urls.owner, urls.api, urls.worker}) == 3

    def test_an_unknown_service_or_prefix_is_refused(self) -> None:
        with pytest.raises(StackError, match="there is no service 'payroll'"):
            bootstrap.database_name("payroll")
        with pytest.raises(StackError, match="prefix"):
            bootstrap.database_name("timesheet", "x; DROP DATABASE")
