"""Servers of someone else, and containers, behind the same two addresses. Containers are stood in for here: no engine is needed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from testcontainers.community.kafka import KafkaContainer
from testcontainers.community.postgres import PostgresContainer

from paybill_stack import StackError, containers
from paybill_stack.stack import Stack, chosen_mode


def test_external_addresses_are_used_as_given(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYBILL_KAFKA_BOOTSTRAP", "kafka.example.com:9092")
    monkeypatch.setenv("PAYBILL_POSTGRES_ADMIN_URL", "postgresql://admin:pw@db.example.com/postgres")
    stack = Stack.start("dev")
    assert stack.kafka_bootstrap == "kafka.example.com:9092"
    assert stack.database_urls("timesheet").api.endswith("@db.example.com:5432/paybill_timesheet")
    assert not stack.kafka.running()
    stack.stop()


def test_one_external_address_alone_is_refused(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYBILL_KAFKA_BOOTSTRAP", "kafka.example.com:9092")
    with pytest.raises(StackError, match="set both"):
        chosen_mode()


def test_an_unknown_mode_is_named(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYBILL_STACK", "podman")
    with pytest.raises(StackError, match="'podman'"):
        chosen_mode()


class Engine:
    """Stands in for a Docker engine: containers that start at once and are removed by id."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.present: list[str] = ["somebody-elses"]

        def start(container: Any, timeout: int = 0) -> Any:
            self.present.append(container.image)
            container._container = object()
            return container

        monkeypatch.setattr("testcontainers.core.container.DockerClient", lambda **_: None)
        monkeypatch.setattr("testcontainers.core.docker_client.DockerClient", lambda: SimpleNamespace(client=self))
        for kind in (KafkaContainer, PostgresContainer):
            monkeypatch.setattr(kind, "start", start)
            monkeypatch.setattr(kind, "get_wrapped_container", lambda container: SimpleNamespace(id=container.image))
            monkeypatch.setattr(kind, "get_container_host_ip", lambda container: "127.0.0.1")
            monkeypatch.setattr(kind, "get_exposed_port", lambda container, port: port + 20_000)

    @property
    def containers(self) -> "Engine":
        return self

    def list(self, *, all: bool) -> "list[SimpleNamespace]":
        return [
            SimpleNamespace(id=name, remove=lambda name=name, **_: self.present.remove(name)) for name in self.present
        ]


def test_containers_give_the_same_two_addresses_are_started_once_and_removed(
    var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYBILL_STACK", "testcontainers")
    engine = Engine(monkeypatch)
    stack = Stack.start("dev")
    assert stack.kafka_bootstrap == "127.0.0.1:29093"
    assert stack.admin_dsn.startswith("postgresql://postgres:")
    assert stack.admin_dsn.endswith("127.0.0.1:25432/postgres")
    Stack.start("dev")
    assert engine.present == ["somebody-elses", containers.KAFKA_IMAGE, containers.POSTGRES_IMAGE]
    stack.stop()
    assert engine.present == ["somebody-elses"]
    assert stack.settings.containers == []


def test_without_an_engine_the_error_says_what_to_do(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYBILL_STACK", "testcontainers")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{var}/no-engine.sock")
    with pytest.raises(containers.ContainersError, match="unset PAYBILL_STACK to use the embedded servers"):
        Stack.start("dev")
