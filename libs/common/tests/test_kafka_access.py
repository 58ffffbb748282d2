"""Kafka with certificates and passwords: on a real broker that asks for them, and the settings that lead there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiokafka
import pytest
import toy
from pydantic import ValidationError

from paybill_common.bus import BusUnavailable, Outgoing
from paybill_common.bus.kafka import Access, KafkaBus
from paybill_common.config import Settings
from paybill_common.service import build_runtime
from paybill_contracts.topics import Topic
from paybill_stack import ports
from paybill_stack.kafka import Kafka
from paybill_stack.paths import InstancePaths
from paybill_stack.settings import KafkaSettings, SettingsStore
from paybill_stack.topics import create_topics
from tests.kit import Certificate

TOPIC = "guarded"
DATABASES = {"database_api_url": "postgresql+asyncpg://a", "database_worker_url": "postgresql+asyncpg://b"}


class GuardedKafka(Kafka):
    """The stack's broker with two more doors: TLS with a user and password, and TLS with a certificate of ours."""

    server: Certificate
    client: Certificate
    by_password: str
    by_certificate: str

    def _write_properties(self, settings: KafkaSettings) -> Path:
        path = super()._write_properties(settings)
        plain = f"{ports.LOOPBACK}:{settings.port}"
        taken = {settings.port, settings.controller_port}
        password_port = ports.keep_or_find(None, taken)
        self.by_password = f"{ports.LOOPBACK}:{password_port}"
        self.by_certificate = f"{ports.LOOPBACK}:{ports.keep_or_find(None, taken | {password_port})}"
        store = path.parent / "keystore.pem"
        store.write_bytes(self.server.key.read_bytes() + self.server.file.read_bytes())
        doors = f"PLAINTEXT://{plain},SASL_SSL://{self.by_password},SSL://{self.by_certificate}"
        login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        guards = {
            "listeners": f"{doors},CONTROLLER://{ports.LOOPBACK}:{settings.controller_port}",
            "advertised.listeners": doors,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": f'{login} user_paybill="p@ss word";',
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.client.file),
        }
        path.write_text(path.read_text() + "".join(f"{name}={value}\n" for name, value in guards.items()))
        return path


@dataclass(frozen=True)
class Doors:
    """Where the broker is, by door, and what opens each."""

    plain: str
    by_password: str
    by_certificate: str
    password: Access
    certificate: Access


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("guarded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYBILL_VAR", str(folder / "var"))
        paths = InstancePaths.of("guarded")
        kafka = GuardedKafka(paths, SettingsStore(paths.settings, "guarded"))
        kafka.server, kafka.client = Certificate.made_in(folder, "broker"), Certificate.made_in(folder, "client")
        plain = kafka.start(attached=True)
        try:
            yield Doors(
                plain,
                kafka.by_password,
                kafka.by_certificate,
                Access("SASL_SSL", kafka.server.file, mechanism="PLAIN", user="paybill", password="p@ss word"),
                Access("SSL", kafka.server.file, kafka.client.file, kafka.client.key),
            )
        finally:
            kafka.stop()


@pytest.mark.integration
@pytest.mark.parametrize("door", ["password", "certificate"])
async def test_records_go_through_a_guarded_door(doors: Doors, door: str) -> None:
    access: Access = getattr(doors, door)
    bus = KafkaBus(getattr(doors, f"by_{door}"), session_timeout_ms=6_000, access=access)
    assert await bus.ready()
    topic = f"{TOPIC}-{door}"
    await create_topics(doors.plain, [Topic(topic, "test", "key", 1, 1, "access", ("test",), ("test",), (), None)])
    producer, consumer = bus.producer(), bus.consumer(group=f"readers-{door}", topics=[topic])
    await producer.start()
    await consumer.start()
    try:
        await producer.send([Outgoing(topic, "k", "through the door", ())])
        found: list[Any] = []
        for _ in range(100):
            found += await consumer.poll(max_records=10, timeout_ms=200)
            if found:
                break
        assert [record.value for record in found] == [b"through the door"]
        await consumer.commit({found[0].tp: 1})
        assert list((await consumer.lag()).values()) == [0]
    finally:
        await consumer.stop()
        await producer.stop()


@pytest.mark.integration
async def test_nobody_passes_without_what_the_door_asks(doors: Doors, tmp_path: Path) -> None:
    """A wrong password, no certificate, a stranger's, a broker that we have no reason to trust, plain text to a TLS port."""
    stranger = Certificate.made_in(tmp_path, "stranger")
    refused = [
        (doors.by_password, replace(doors.password, password="wrong")),
        (doors.by_password, replace(doors.password, ca_file=stranger.file)),
        (doors.by_password, replace(doors.password, ca_file=tmp_path / "missing.pem")),
        (doors.by_certificate, replace(doors.certificate, certificate_file=None, key_file=None)),
        (doors.by_certificate, replace(doors.certificate, certificate_file=stranger.file, key_file=stranger.key)),
        (doors.by_certificate, Access()),
    ]
    for address, access in refused:
        assert not await KafkaBus(address, access=access).ready(), access
    wrong = KafkaBus(doors.by_password, request_timeout_ms=5_000, access=replace(doors.password, password="wrong"))
    with pytest.raises(BusUnavailable):
        await wrong.producer().start()
    with pytest.raises(BusUnavailable):
        await wrong.consumer(group="nobody", topics=[TOPIC]).start()


async def test_every_client_of_a_service_is_built_as_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer's, the relay's and the health check's; the password is printed by none of them."""
    ours = Certificate.made_in(tmp_path)
    settings = Settings(
        **DATABASES,
        kafka_bootstrap="127.0.0.1:1",
        kafka_security_protocol="SASL_SSL",
        kafka_ca_file=ours.file,
        kafka_certificate_file=ours.file,
        kafka_key_file=ours.key,
        kafka_user="paybill",
        kafka_password="hush",
    )
    runtime = build_runtime(toy.SPEC, settings)
    built: dict[str, dict[str, Any]] = {}
    for name in ("AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaClient"):

        def build(_name: str = name, **options: Any) -> Any:
            built[_name] = options
            raise OSError("far enough")

        monkeypatch.setattr(aiokafka, name, build)
    for start in (runtime.bus.producer().start, runtime.bus.consumer(group="g", topics=["t"]).start, runtime.bus.ready):
        with pytest.raises(OSError, match="far enough"):
            await start()
    assert set(built) == {"AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaClient"}
    for options in built.values():
        assert options["security_protocol"] == "SASL_SSL"
        assert options["ssl_context"].check_hostname
        kept = {name: value for name, value in options.items() if name.startswith("sasl_")}
        assert kept == {
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "paybill",
            "sasl_plain_password": "hush",
        }
    assert "hush" not in repr(Access.of(settings)) + repr(settings)
    await runtime.close()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, "needs PAYBILL_KAFKA_USER"),
        ({"kafka_user": "u", "kafka_password": "hush"}, "takes no PAYBILL_KAFKA_USER"),
        ({"kafka_security_protocol": "SSL", "kafka_certificate_file": "a.pem"}, "go together"),
        ({"kafka_ca_file": "ca.pem"}, "uses no certificates"),
        (
            {
                "kafka_security_protocol": "SASL_PLAINTEXT",
                "kafka_sasl_mechanism": "PLAIN",
                "kafka_user": "u",
                "kafka_password": "hush",
            },
            "in the clear",
        ),
    ],
)
def test_half_a_guard_stops_the_start(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why) as refused:
        Settings(**DATABASES, kafka_bootstrap="k", **given)
    assert "hush" not in str(refused.value)
