"""Events and their readers agree: nothing is produced that a reader of its topic has not thought about."""

from __future__ import annotations

import pytest

from paybill_contracts import event_classes
from paybill_contracts.topics import all_topics, topic
from tests.architecture.services import SERVICES, spec_of, subscription_of


@pytest.mark.parametrize("service", SERVICES)
def test_the_spec_is_named_after_its_service_and_its_consumer(service: str) -> None:
    assert spec_of(service).name == service
    assert subscription_of(service).consumer == service


@pytest.mark.parametrize("service", SERVICES)
def test_every_event_of_its_topics_is_handled_or_listed_as_ignored(service: str) -> None:
    subscription = subscription_of(service)
    arriving = {event_type for name in subscription.topics for event_type in topic(name).events}
    handled = {event.TYPE for event in subscription.handles}
    ignored = {event.TYPE for event in subscription.ignores}
    assert handled & ignored == set()
    assert handled | ignored == arriving


@pytest.mark.parametrize("service", SERVICES)
def test_the_topics_that_declare_a_reader_are_those_that_it_subscribes_to(service: str) -> None:
    declared = {each.name for each in all_topics() if service in each.consumers}
    assert set(subscription_of(service).topics) == declared


def test_every_declared_reader_is_a_service() -> None:
    assert {name for each in all_topics() for name in (*each.consumers, *each.producers)} <= set(SERVICES)


def test_every_event_has_exactly_one_topic_and_a_producer_that_owns_it() -> None:
    homes = [event_type for declared in all_topics() for event_type in declared.events]
    assert sorted(homes) == sorted(event_classes())
    for declared in all_topics():
        assert not declared.events or declared.producers == (declared.owner,), declared.name
        assert declared.dead_letter_topic is None or topic(declared.dead_letter_topic)
