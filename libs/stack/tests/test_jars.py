import hashlib
from pathlib import Path

import pytest

from paybill_stack import jars


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    path = tmp_path / "good-1.0.jar"
    path.write_bytes(b"the bytes we committed to")
    return path


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class TestVerify:
    def test_the_committed_bytes_pass(self, jar: Path) -> None:
        jars.verify([jar], {jar.name: sum_of(jar)})

    def test_a_changed_byte_stops_and_names_the_file_and_the_remedy(self, jar: Path) -> None:
        committed = {jar.name: sum_of(jar)}
        jar.write_bytes(b"the bytes of someone else")
        with pytest.raises(
            jars.JarError, match=r"good-1\.0\.jar has the wrong SHA-256 sum .*; delete .*good-1\.0\.jar"
        ):
            jars.verify([jar], committed)

    def test_an_unlisted_jar_stops(self, jar: Path) -> None:
        with pytest.raises(jars.JarError, match=r"good-1\.0\.jar is not listed in kafka-jars\.sha256"):
            jars.verify([jar], {})

    def test_a_listed_jar_that_is_absent_stops(self, jar: Path) -> None:
        with pytest.raises(jars.JarError, match=r"absent-2\.0\.jar is listed"):
            jars.verify([jar], {jar.name: sum_of(jar), "absent-2.0.jar": "00"})


class TestKafkaClasspath:
    def test_remembered_jars_are_verified_again_and_forgotten_when_wrong(
        self, jar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sums = tmp_path / "kafka-jars.sha256"
        sums.write_text(f"{sum_of(jar)}  {jar.name}\n")
        monkeypatch.setattr(jars, "SUMS_FILE", sums)
        asked: list[str] = []

        def resolve() -> list[Path]:
            asked.append("resolver")
            return [jar]

        monkeypatch.setattr(jars, "_resolve", resolve)
        cache = tmp_path / "remembered.json"
        assert jars.kafka_classpath(cache) == [jar]
        assert jars.kafka_classpath(cache) == [jar]
        assert asked == ["resolver"]
        jar.write_bytes(b"tampered with after the first start")
        with pytest.raises(jars.JarError, match="wrong SHA-256"):
            jars.kafka_classpath(cache)
        assert not cache.exists()

    def test_the_committed_list_names_the_broker_of_the_coordinates(self) -> None:
        sums = jars.read_sums(jars.SUMS_FILE)
        artifact, version = jars.COORDINATES.split("+")[0].split(":")[1:]
        assert f"{artifact}-{version}.jar" in sums
        assert all(len(digest) == 64 for digest in sums.values())
