"""`PAYBILL_STACK=testcontainers`: Kafka and Postgres in containers, for machines that have a Docker engine and the images.

The containers are left running between commands and stopped by id; the package's own reaper, which would remove them as soon as the
starting process ends, is switched off.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from paybill_stack import StackError
from paybill_stack.settings import SettingsStore, StackSettings

KAFKA_IMAGE = "confluentinc/cp-kafka:7.9.1"
POSTGRES_IMAGE = "postgres:18"


class ContainersError(StackError):
    """No Docker engine, no image, or a container that did not start."""


def start(store: SettingsStore, *, kafka: bool, postgres: bool) -> None:
    """Start the containers that are not remembered as running, and remember addresses and ids.

    Raises:
        ContainersError: Docker refused, with its reason.
    """
    known = store.read()
    try:
        if kafka and known.kafka_bootstrap is None:
            _remember(store, *_start_kafka())
        if postgres and known.admin_dsn is None:
            _remember(store, *_start_postgres())
    except ImportError as error:
        raise ContainersError(
            "PAYBILL_STACK=testcontainers needs the testcontainers package (requirements/dev.in)"
        ) from error
    except ContainersError:
        raise
    except Exception as error:
        raise ContainersError(
            f"the containers did not start: {error}; check that a Docker engine runs and has {KAFKA_IMAGE} and {POSTGRES_IMAGE}, "
            f"or unset PAYBILL_STACK to use the embedded servers"
        ) from error


def stop(ids: Sequence[str]) -> None:
    """Remove containers of ours by id; one that is gone already is fine.

    Raises:
        ContainersError: the Docker engine does not answer.
    """
    if not ids:
        return
    from testcontainers.core.docker_client import DockerClient

    try:
        engine = DockerClient().client.containers
        present = {container.id: container for container in engine.list(all=True)}
        for identity in set(ids) & set(present):
            present[identity].remove(force=True, v=True)
    except Exception as error:
        raise ContainersError(
            f"containers {', '.join(ids)} could not be removed: {error}; is the Docker engine up?"
        ) from error


def _start_kafka() -> tuple[str, str, str]:
    from testcontainers.community.kafka import KafkaContainer

    _without_reaper()
    container: Any = KafkaContainer(KAFKA_IMAGE).with_kraft()
    container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false").with_env(
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS", "1000"
    )
    container.start(timeout=120)
    return "kafka_bootstrap", container.get_bootstrap_server(), container.get_wrapped_container().id


def _start_postgres() -> tuple[str, str, str]:
    from testcontainers.community.postgres import PostgresContainer

    _without_reaper()
    password = secrets.token_hex(24)
    container: Any = PostgresContainer(
        POSTGRES_IMAGE, username="postgres", password=password, dbname="postgres", driver=None
    )
    container.with_command(
        "postgres -c max_connections=300 -c max_locks_per_transaction=256 -c idle_in_transaction_session_timeout=60s"
    )
    container.start()
    return "admin_dsn", container.get_connection_url(), container.get_wrapped_container().id


def _without_reaper() -> None:
    from testcontainers.core.config import testcontainers_config

    testcontainers_config.ryuk_disabled = True


def _remember(store: SettingsStore, field: str, address: str, container_id: str) -> None:
    def change(settings: StackSettings) -> None:
        setattr(settings, field, address)
        settings.containers.append(container_id)

    store.change(change)
