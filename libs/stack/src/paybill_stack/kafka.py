"""A real single-node Kafka broker (KRaft: no ZooKeeper) on loopback, run by the packaged Java."""

import base64
import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
import uuid
from pathlib import Path

from paybill_stack import StackError, jars, ports, processes
from paybill_stack.paths import InstancePaths
from paybill_stack.settings import KafkaSettings, SettingsStore, StackSettings

START_TIMEOUT_S = 60.0
STOP_GRACE_S = 15.0
_JVM = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a broker that runs for minutes ends before the second compiler has paid
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.net.preferIPv4Stack=true",
)
_LOGGING = (
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.logFile=System.out",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)
# One node, one disk, a laptop's memory. Sessions are short so that a broker killed by a test is readmitted at once.
_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.index.size.max.bytes": "1048576",
}


class KafkaError(StackError):
    """The broker did not start, or did not stay up."""


class Kafka:
    """The broker of one instance. `start` finds the running one; `kill` and `start` again serve the fault tests."""

    def __init__(self, paths: InstancePaths, store: SettingsStore) -> None:
        self._paths = paths
        self._store = store
        self.log = paths.log / "kafka.log"

    @property
    def settings(self) -> KafkaSettings | None:
        """What is remembered of the broker; None before its first start."""
        return self._store.read().kafka

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:port` of the broker.

        Raises:
            KafkaError: it was never started.
        """
        settings = self.settings
        if settings is None:
            raise KafkaError(f"Kafka of instance {self._paths.instance} was never started; run `paybill stack up`")
        return f"{ports.LOOPBACK}:{settings.port}"

    def running(self) -> bool:
        """Whether our broker process lives."""
        settings = self.settings
        return settings is not None and settings.process is not None and settings.process.alive()

    def start(self, *, attached: bool = False) -> str:
        """Format the data folder if it is new, start the broker, wait until it answers. Returns the bootstrap address.

        Raises:
            KafkaError: it ended or did not answer in time; names the log file and shows its end.
            JarError: see `jars.kafka_classpath`.
        """
        if self.running():
            self._wait_ready()
            return self.bootstrap
        classpath = os.pathsep.join(
            str(jar) for jar in jars.kafka_classpath(self._paths.root.parent / "kafka-jars.json")
        )
        settings = self._remembered_or_new()
        properties = self._write_properties(settings)
        if not (settings.data_dir / "meta.properties").is_file():
            self._format(classpath, settings, properties)
        record = processes.spawn(
            [str(jars.JAVA), *_JVM, *_LOGGING, "-cp", classpath, "kafka.Kafka", str(properties)],
            log=self.log,
            cwd=self._paths.root,
            attached=attached,
        )
        settings = settings.model_copy(update={"process": record})
        self._remember(settings)
        try:
            self._wait_ready()
        except KafkaError:
            processes.stop(record, first=signal.SIGKILL)
            raise
        return self.bootstrap

    def stop(self) -> None:
        """Stop the broker in order; kill it if it takes too long. Harmless when it does not run."""
        settings = self.settings
        if settings is not None and settings.process is not None:
            processes.stop(settings.process, grace_s=STOP_GRACE_S)
            self._remember(settings.model_copy(update={"process": None}))

    def signal_stop(self) -> None:
        """Ask the broker to end without waiting; `stop` afterwards waits."""
        settings = self.settings
        if settings is not None and settings.process is not None:
            processes.send(settings.process, signal.SIGTERM)

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send a signal to the broker and wait until it is gone: what a fault test does. `start` brings it back with its data.

        Raises:
            KafkaError: it does not run, or outlives the signal by 20 s.
        """
        settings = self.settings
        if settings is None or settings.process is None or not processes.send(settings.process, signum):
            raise KafkaError(f"Kafka of instance {self._paths.instance} does not run, so it cannot be killed")
        if not processes.wait_gone(settings.process, 20.0):
            raise KafkaError(f"Kafka (process {settings.process.pid}) still runs 20 s after signal {signum}")

    def wipe(self) -> None:
        """Remove the stopped broker's data, a lost bus; the next start formats it afresh.

        Raises:
            KafkaError: it runs.
        """
        if self.running():
            raise KafkaError("Kafka runs; stop it before its data is removed")
        shutil.rmtree(self._paths.kafka, ignore_errors=True)

    def _remembered_or_new(self) -> KafkaSettings:
        known = self.settings
        port = ports.keep_or_find(known.port if known else None)
        controller_port = ports.keep_or_find(known.controller_port if known else None, {port})
        return KafkaSettings(
            port=port,
            controller_port=controller_port,
            cluster_id=known.cluster_id
            if known
            else base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode(),
            data_dir=self._paths.kafka / "data",
        )

    def _remember(self, settings: KafkaSettings) -> None:
        def change(stack: StackSettings) -> None:
            stack.kafka = settings
            stack.kafka_bootstrap = f"{ports.LOOPBACK}:{settings.port}"

        self._store.change(change)

    def _write_properties(self, settings: KafkaSettings) -> Path:
        broker, controller = f"{ports.LOOPBACK}:{settings.port}", f"{ports.LOOPBACK}:{settings.controller_port}"
        values = _PROPERTIES | {
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(settings.data_dir),
        }
        self._paths.kafka.mkdir(parents=True, exist_ok=True)
        path = self._paths.kafka / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")
        return path

    def _format(self, classpath: str, settings: KafkaSettings, properties: Path) -> None:
        command = [
            str(jars.JAVA),
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            classpath,
            "kafka.tools.StorageTool",
            "format",
        ]
        done = subprocess.run(
            [*command, f"--cluster-id={settings.cluster_id}", "-c", str(properties), "--ignore-formatted"],
            capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise KafkaError(
                f"Kafka's data folder {settings.data_dir} could not be prepared: {done.stdout}{done.stderr}"
            )

    def _wait_ready(self) -> None:
        settings = self.settings
        assert settings is not None
        assert settings.process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _answers(settings.port):
            if not settings.process.alive():
                raise KafkaError(f"Kafka ended while starting; {self.log} ends with:\n{processes.tail(self.log)}")
            if time.monotonic() > deadline:
                raise KafkaError(
                    f"Kafka did not answer on {self.bootstrap} within {START_TIMEOUT_S:.0f} s and was stopped; "
                    f"try again on a quieter machine; {self.log} ends with:\n{processes.tail(self.log)}"
                )
            time.sleep(0.05)


def _answers(port: int) -> bool:
    """Whether a broker answers an ApiVersions request, the first thing every client asks."""
    request = struct.pack(">hhih", 18, 0, 1, -1)  # api key, version, correlation id, null client id
    with contextlib.suppress(OSError), socket.create_connection((ports.LOOPBACK, port), timeout=1) as connection:
        connection.settimeout(5)
        connection.sendall(struct.pack(">i", len(request)) + request)
        return len(connection.recv(10)) == 10
    return False
