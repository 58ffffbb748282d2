"""The topics of Paybill, read from `topics/*.yaml`: owner, producers, consumers, key, partitions, retention, dead letters."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Topic:
    """One topic as declared. `config` is Kafka's own topic configuration."""

    name: str
    owner: str
    key: str
    partitions: int
    retention_days: int
    description: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    events: tuple[str, ...]
    dead_letter_topic: str | None
    compacted: bool = False
    config: dict[str, str] = field(default_factory=dict)


def contracts_root() -> Path:
    """The folder that holds topics/, schemas/ and examples/: the source tree, or the installed package's data."""
    packaged = Path(__file__).parent / "_data"
    return packaged if packaged.is_dir() else Path(__file__).parents[2]


@cache
def all_topics() -> tuple[Topic, ...]:
    """Every declared topic, sorted by name, dead-letter topics included."""
    topics = [_read(path) for path in sorted((contracts_root() / "topics").glob("*.yaml"))]
    return tuple(sorted(topics, key=lambda topic: topic.name))


def topic(name: str) -> Topic:
    """The declared topic of that name. Raises KeyError naming it when it is not declared."""
    for declared in all_topics():
        if declared.name == name:
            return declared
    raise KeyError(f"topic {name} is not declared in contracts/topics")


def _read(path: Path) -> Topic:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    compacted = bool(raw.get("compacted", False))
    retention_ms = int(raw["retention_days"]) * 86_400_000
    config = {"cleanup.policy": "compact"} if compacted else {"retention.ms": str(retention_ms)}
    config["max.message.bytes"] = str(raw.get("max_message_bytes", 4_194_304))
    return Topic(
        name=raw["name"],
        owner=raw["owner"],
        key=raw["key"],
        partitions=int(raw["partitions"]),
        retention_days=int(raw["retention_days"]),
        description=raw["description"],
        producers=tuple(raw["producers"]),
        consumers=tuple(raw["consumers"]),
        events=tuple(raw.get("events", ())),
        dead_letter_topic=raw.get("dead_letter_topic"),
        compacted=compacted,
        config=config,
    )
