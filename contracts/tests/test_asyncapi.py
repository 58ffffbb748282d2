"""The AsyncAPI document is what the specification says a document is, and everything it refers to exists."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from paybill_contracts import event_classes
from paybill_contracts.topics import all_topics, contracts_root

ROOT = contracts_root()
SPECIFICATION = json.loads((Path(__file__).parent / "data" / "asyncapi" / "3.0.0.json").read_text(encoding="utf-8"))
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "asyncapi.yaml").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft7Validator(SPECIFICATION)


def problems(document: Any) -> list[str]:
    """What the official schema has against a document."""
    return [f"{'/'.join(map(str, error.path))}: {error.message[:200]}" for error in VALIDATOR.iter_errors(document)]


def references(node: Any) -> Iterator[str]:
    """Every `$ref` below a node."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(pointer: str) -> Any:
    """The node behind a `#/…` pointer."""
    node: Any = DOCUMENT
    for part in pointer.removeprefix("#/").split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def test_the_official_schema_accepts_the_document() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert problems(DOCUMENT) == []


@pytest.mark.parametrize(
    "path", [("info", "title"), ("operations", "timesheet-sends-paybill-timesheet", "action"), ("asyncapi",)]
)
def test_the_official_schema_refuses_a_document_that_lacks_something(path: tuple[str, ...]) -> None:
    broken = copy.deepcopy(DOCUMENT)
    node = broken
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]
    assert problems(broken)


def test_everything_referred_to_exists() -> None:
    found = list(references(DOCUMENT))
    assert len(found) > 50
    for reference in found:
        if reference.startswith("#/"):
            assert resolve(reference) is not None, reference
        else:
            schema = json.loads((ROOT / reference).read_text(encoding="utf-8"))
            jsonschema.Draft202012Validator.check_schema(schema)


def test_every_event_is_a_message_of_its_topic_and_every_topic_names_its_readers() -> None:
    messages = DOCUMENT["components"]["messages"]
    assert set(messages) == set(event_classes())
    for topic in all_topics():
        if not topic.events:
            continue
        (name, channel) = next((n, c) for n, c in DOCUMENT["channels"].items() if c["address"] == topic.name)
        assert {ref["$ref"].rpartition("/")[2] for ref in channel["messages"].values()} == set(topic.events)
        assert channel["bindings"]["kafka"]["partitions"] == topic.partitions
        operations = {
            (operation["action"], key.split("-sends-")[0].split("-receives-")[0])
            for key, operation in DOCUMENT["operations"].items()
            if operation["channel"]["$ref"] == f"#/channels/{name}"
        }
        assert operations == {("send", topic.owner)} | {("receive", consumer) for consumer in topic.consumers}
