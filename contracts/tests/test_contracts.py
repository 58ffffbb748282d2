"""The contract checks: schemas frozen and compatible, examples round-trip, topics and events agree, no personal data."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from paybill_common.bus import Record
from paybill_common.envelope import decode
from paybill_contracts import event_classes
from paybill_contracts.compatibility import incompatibilities
from paybill_contracts.envelope_schema import message_schema
from paybill_contracts.export import asyncapi, breaking_changes, exported
from paybill_contracts.topics import all_topics, contracts_root

ROOT = contracts_root()
EXAMPLES = sorted((ROOT / "examples").glob("*.json"))
CLASSES = event_classes()
PERSONAL = {
    "name",
    "forename",
    "surname",
    "nino",
    "ni_number",
    "sort_code",
    "account",
    "account_number",
    "address",
    "postcode",
    "birth",
    "birth_on",
    "date_of_birth",
    "email",
    "phone",
    "note",
    "comment",
    "description",
    "reason",
    "text",
}


def test_exported_files_are_fresh() -> None:
    stale = [path.name for path, text in exported(ROOT).items() if not path.exists() or path.read_text("utf-8") != text]
    assert stale == []


def test_no_model_breaks_a_frozen_schema() -> None:
    assert breaking_changes(ROOT) == []


def test_no_schema_file_is_an_orphan() -> None:
    known = {path.name for path in exported(ROOT)}
    types = set(CLASSES)
    for path in (ROOT / "schemas").glob("*.json"):
        assert path.name in known or path.name.rsplit(".", 2)[0] in types, path.name


@pytest.mark.parametrize("event_type", sorted(CLASSES))
def test_every_event_has_an_example_that_round_trips(event_type: str) -> None:
    path = ROOT / "examples" / f"{event_type}.json"
    text = path.read_text("utf-8")
    jsonschema.Draft202012Validator(
        message_schema(CLASSES[event_type]), format_checker=jsonschema.FormatChecker()
    ).validate(json.loads(text))
    event = decode(Record("t", 0, 0, "k", text))
    assert json.loads(event.data.model_dump_json()) == json.loads(text)["data"]
    assert event.data.partition_key() == event.key
    assert event.data.subject() == event.subject


def test_no_example_is_an_orphan() -> None:
    assert {path.stem for path in EXAMPLES} == set(CLASSES)


def test_topics_and_events_name_each_other() -> None:
    declared = {event: topic.name for topic in all_topics() for event in topic.events}
    assert declared == {event_type: model.TOPIC for event_type, model in CLASSES.items()}


def test_every_topic_has_a_declared_dead_letter_topic() -> None:
    names = {topic.name for topic in all_topics()}
    for topic in all_topics():
        if topic.events:
            assert topic.dead_letter_topic in names
        assert "_" not in topic.name, "underscore and dot collide in Kafka's metric names"


def test_worker_keyed_topics_have_equal_partition_counts() -> None:
    counts = {topic.partitions for topic in all_topics() if topic.key == "worker_id" and topic.events}
    assert counts == {24}


@pytest.mark.parametrize("event_type", sorted(set(CLASSES) - {"paybill.directory.entry.v1"}))
def test_no_field_is_for_personal_data_or_free_text(event_type: str) -> None:
    schema = json.dumps(message_schema(CLASSES[event_type])["properties"]["data"])
    definitions = message_schema(CLASSES[event_type])["$defs"]
    for node in [message_schema(CLASSES[event_type])["properties"]["data"], *definitions.values()]:
        for field, rule in node.get("properties", {}).items():
            assert field not in PERSONAL, field
            options = [rule, *rule.get("anyOf", [])]
            for option in options:
                if option.get("type") == "string":
                    assert option.keys() & {"pattern", "format", "enum", "const"}, (
                        f"{field} admits free text: {schema[:80]}"
                    )


BASE = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"enum": ["x", "y"]}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda s: s["properties"].pop("a"), "property_removed"),
        (lambda s: s["required"].append("b"), "property_became_required"),
        (lambda s: s["required"].remove("a"), "required_property_made_optional"),
        (lambda s: s["properties"]["a"].update(type="integer"), "type_changed"),
        (lambda s: s["properties"]["b"]["enum"].remove("y"), "enum_value_removed"),
        (lambda s: s["properties"]["a"].update(pattern="x"), "pattern_changed"),
        (lambda s: s["properties"]["a"].update(maxLength=3), "bound_tightened"),
    ],
)
def test_the_compatibility_check_sees_each_kind_of_break(change, kind: str) -> None:  # type: ignore[no-untyped-def]
    new = copy.deepcopy(BASE)
    change(new)
    assert kind in {found.kind for found in incompatibilities(BASE, new)}


def test_an_added_optional_field_is_compatible() -> None:
    new = copy.deepcopy(BASE)
    new["properties"]["c"] = {"type": "string"}  # type: ignore[index]
    assert incompatibilities(BASE, new) == []


def test_the_asyncapi_file_says_what_the_models_say() -> None:
    assert yaml.safe_load(Path(ROOT / "asyncapi.yaml").read_text("utf-8")) == asyncapi()
