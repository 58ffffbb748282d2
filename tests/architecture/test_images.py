"""The image: made of wheels alone, without a network, for a user without rights."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.architecture.deployment import ROOT
from tools import images

DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")


def test_the_build_asks_no_registry_and_checks_every_wheel() -> None:
    assert "--no-index" in DOCKERFILE
    assert "sha256sum --check" in DOCKERFILE
    assert not re.search(r"apt-get|curl|wget|https?://(?!127)", DOCKERFILE)
    assert {"--require-hashes", "--no-deps", ":all:"} <= set(images.download_command(Path("wheels")))


def test_only_the_wheelhouse_reaches_the_engine() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert lines == ["*", "!dist/wheels"]


def test_the_process_is_not_root_and_one_image_serves_every_role() -> None:
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.M)
    assert 'ENTRYPOINT ["/opt/paybill/bin/service"]' in DOCKERFILE
    assert "/health/ready" in DOCKERFILE


def test_every_service_has_the_console_script_that_the_image_starts() -> None:
    for service in images.SERVICES:
        project = tomllib.loads((ROOT / "services" / service / "pyproject.toml").read_text("utf-8"))["project"]
        assert project["scripts"] == {f"paybill-{service}": f"{service.replace('-', '_')}.__main__:main"}
        assert not any("stack" in dependency for dependency in project["dependencies"])


def test_sums_are_in_the_form_that_sha256sum_reads(tmp_path: Path) -> None:
    (tmp_path / "b-1.whl").write_bytes(b"b")
    (tmp_path / "a-1.whl").write_bytes(b"a")
    lines = images.sums(tmp_path).splitlines()
    assert [line.split("  ")[1] for line in lines] == ["a-1.whl", "b-1.whl"]
    assert all(re.fullmatch(r"[0-9a-f]{64}  \S+", line) for line in lines)


def test_the_build_command_names_service_base_and_network() -> None:
    command = images.build_command("pay-calc", base="base:1", tag="7", network="none")
    assert command[-3:] == ["--network", "none", "."]
    assert {"SERVICE=pay-calc", "BASE=base:1", "paybill/pay-calc:7"} <= set(command)
