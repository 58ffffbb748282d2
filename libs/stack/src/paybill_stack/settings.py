"""The one settings file of an instance: addresses, ports, secrets and processes. Owner-only, always written whole."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from paybill_stack import StackError
from paybill_stack.locks import FileLock
from paybill_stack.processes import ProcessRecord

Mode = Literal["embedded", "testcontainers", "external"]


class KafkaSettings(BaseModel):
    """The embedded broker: its ports, its cluster id, its data folder and its process."""

    port: int
    controller_port: int
    cluster_id: str
    data_dir: Path
    process: ProcessRecord | None = None


class PostgresSettings(BaseModel):
    """The embedded database server: its port, the folder with data and socket, the superuser's password, its process."""

    port: int
    home: Path
    password: str
    process: ProcessRecord | None = None


class ServiceSettings(BaseModel):
    """One replica of one service: its role, its HTTP (and health) port, its log and its process."""

    service: str
    replica: int = Field(ge=1)
    role: Literal["all", "worker"]
    port: int
    log: Path
    process: ProcessRecord | None = None


class StackSettings(BaseModel):
    """Everything remembered about an instance between commands."""

    instance: str
    mode: Mode = "embedded"
    secret: str = Field(default_factory=lambda: secrets.token_hex(32))
    kafka: KafkaSettings | None = None
    postgres: PostgresSettings | None = None
    kafka_bootstrap: str | None = None  # where to connect, whatever the mode
    admin_dsn: str | None = None
    containers: list[str] = Field(default_factory=list)
    business_now: str | None = None
    services: list[ServiceSettings] = Field(default_factory=list)


class SettingsStore:
    """Reads and changes the settings file; a change is atomic between threads and processes."""

    def __init__(self, path: Path, instance: str) -> None:
        self.path = path
        self._instance = instance

    def read(self) -> StackSettings:
        """The settings, or fresh ones when there is no file yet.

        Raises:
            StackError: the file cannot be understood.
        """
        if not self.path.exists():
            return StackSettings(instance=self._instance)
        try:
            return StackSettings.model_validate_json(self.path.read_bytes())
        except ValidationError as error:
            raise StackError(
                f"{self.path} cannot be understood ({error.error_count()} errors); remove it and start again"
            ) from error

    def change(self, mutate: Callable[[StackSettings], None]) -> StackSettings:
        """Read, apply `mutate`, write; returns what was written."""
        with FileLock(self.path.with_suffix(".json.lock"), timeout_s=30):
            settings = self.read()
            mutate(settings)
            write_private(self.path, settings.model_dump_json(indent=2) + "\n")
        return settings


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as sink:
        sink.write(text)
    partial.replace(path)
