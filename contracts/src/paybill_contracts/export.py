"""Export the frozen files: `python -m paybill_contracts.export [--check]`.

Writes `schemas/<type>.<minor>.json` and `asyncapi.yaml` from the models. A schema file that exists and differs is not
overwritten when the change breaks readers of it: raise MINOR for additions, make a new major type for anything else.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from paybill_contracts.base import EventData, event_classes
from paybill_contracts.compatibility import incompatibilities
from paybill_contracts.envelope_schema import message_schema
from paybill_contracts.topics import all_topics, contracts_root


def schema_file(model: type[EventData], root: Path) -> Path:
    return root / "schemas" / f"{model.TYPE}.{model.MINOR}.json"


def breaking_changes(root: Path) -> list[str]:
    """Each way in which a model breaks a frozen schema of its own or an older minor of the same type."""
    found = []
    for event_type, model in sorted(event_classes().items()):
        new = message_schema(model)
        for path in sorted((root / "schemas").glob(f"{event_type}.*.json")):
            old = json.loads(path.read_text(encoding="utf-8"))
            found += [f"{path.name}: {i.kind} at {i.where}: {i.detail}" for i in incompatibilities(old, new)]
    return found


def exported(root: Path) -> dict[Path, str]:
    """Every generated file and the text that it should have."""
    files = {
        schema_file(model, root): json.dumps(message_schema(model), indent=2, ensure_ascii=False) + "\n"
        for model in event_classes().values()
    }
    files[root / "asyncapi.yaml"] = yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True, width=120)
    return files


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document of all topics and events."""
    classes = event_classes()
    topics = [topic for topic in all_topics() if topic.events]
    messages = {
        event_type: {
            "name": event_type,
            "contentType": "application/cloudevents+json",
            "summary": (model.__doc__ or event_type).strip().splitlines()[0],
            "payload": {
                "schemaFormat": "application/schema+json;version=draft-2020-12",
                "schema": {"$ref": f"./schemas/{event_type}.{model.MINOR}.json"},
            },
        }
        for event_type, model in sorted(classes.items())
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Paybill events",
            "version": "1.0.0",
            "description": "Every fact that the five services exchange. CloudEvents 1.0 in structured JSON on Kafka.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            _slug(topic.name): {
                "address": topic.name,
                "description": topic.description,
                "messages": {_slug(e): {"$ref": f"#/components/messages/{e}"} for e in topic.events},
                "bindings": {"kafka": {"topic": topic.name, "partitions": topic.partitions, "bindingVersion": "0.5.0"}},
            }
            for topic in topics
        },
        "operations": {
            f"{topic.owner}-sends-{_slug(topic.name)}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{_slug(topic.name)}"},
            }
            for topic in topics
        }
        | {
            f"{consumer}-receives-{_slug(topic.name)}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{_slug(topic.name)}"},
            }
            for topic in topics
            for consumer in topic.consumers
        },
        "components": {"messages": messages},
    }


def main(argv: list[str] | None = None) -> int:
    """Write the files, or with --check only say what differs. Exit status 1 when something breaks or differs."""
    parser = argparse.ArgumentParser(description="Export event schemas and the AsyncAPI document")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is stale")
    check = parser.parse_args(argv).check
    root = contracts_root()
    broken = breaking_changes(root)
    for line in broken:
        sys.stderr.write(f"breaking: {line}\n")
    if broken:
        sys.stderr.write("Only add optional fields in a minor; anything else is a new major type.\n")
        return 1
    stale = [
        path for path, text in exported(root).items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if check:
        for path in stale:
            sys.stderr.write(f"stale: {path.name}; run `make contracts`\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(exported(root)[path], encoding="utf-8")
        sys.stdout.write(f"wrote {path.name}\n")
    return 0


def _slug(name: str) -> str:
    return name.replace(".", "-").replace("_", "-")


if __name__ == "__main__":
    raise SystemExit(main())
