"""Fixtures of the door tests: one fuzzed run a service, shared by the tests that look at what it left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from paybill_common.bus.memory import MemoryBus
from paybill_common.clock import ManualClock
from paybill_common.config import Settings
from paybill_common.service import Runtime, ServiceSpec, build_app, build_runtime
from paybill_stack.bootstrap import DatabaseUrls
from tests.doors.doors import served, spec_of
from tests.doors.fuzzing import AGENCY, STRANGER, Findings, fuzz
from tests.kit import DEMO_NOW, Keys

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
"""Valid requests an operation; set FUZZ_EXAMPLES to dig deeper than every run of the suite does."""


@dataclass(frozen=True)
class Fuzzed:
    """A service that has been fuzzed as AGENCY and still answers."""

    findings: Findings
    document: dict[str, Any]
    base_url: str
    own: dict[str, str]
    """The headers of the agency that was fuzzed."""
    stranger: dict[str, str]
    """The headers of another agency."""
    urls: DatabaseUrls


@pytest.fixture(scope="session")
def fuzzed(
    migrated: Callable[[ServiceSpec], DatabaseUrls], keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Fuzzed]]:
    """`fuzzed("compliance")`: the outcome for a service; each is fuzzed once a session."""
    done: dict[str, Fuzzed] = {}
    with ExitStack() as running:

        def of(service: str) -> Fuzzed:
            if service not in done:
                done[service] = start(service)
            return done[service]

        def start(service: str) -> Fuzzed:
            spec = spec_of(service)
            urls = migrated(spec)
            folder = tmp_path_factory.mktemp(service)
            settings = Settings(
                database_api_url=urls.api,
                database_worker_url=urls.worker,
                kafka_bootstrap="127.0.0.1:1",
                jwks_file=keys.jwks_file,
                signing_key_file=keys.signing_key_file,
                link_key_file=keys.link_key_file,
                files_dir=folder / "files",
                mail_dir=folder / "mail",
                body_bytes_max=200_000,
                pool_size=4,
            )
            runtime: Runtime = build_runtime(spec, settings, clock=ManualClock(DEMO_NOW), bus=MemoryBus())
            app = build_app(runtime)
            document = app.openapi()
            base_url = running.enter_context(served(app))
            own, stranger = keys.headers(AGENCY, seconds=3600), keys.headers(STRANGER, seconds=3600)
            findings = fuzz(document, base_url, own, examples=EXAMPLES)
            return Fuzzed(findings, document, base_url, own, stranger, urls)

        yield of
