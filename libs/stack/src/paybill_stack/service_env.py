"""What each service process is told through its environment: addresses, files and nothing of the stack's own."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paybill_common.config import TOOLS_OWN
from paybill_stack.bootstrap import DatabaseUrls
from paybill_stack.keys import KeyFiles
from paybill_stack.paths import InstancePaths
from paybill_stack.ports import LOOPBACK

ISSUER = "reporting"  # signs tokens and checks client credentials; no other service sees the private key
LINKER = "timesheet"  # mails links to approvers, and reads them
_TOOL_PREFIXES = ("PAYBILL_DEMO_", "PAYBILL_BENCH_")


@dataclass(frozen=True)
class Wiring:
    """What the services of an instance share."""

    paths: InstancePaths
    kafka_bootstrap: str
    keys: KeyFiles
    service_urls: Mapping[str, str]
    business_now: str | None = None


def module_of(service: str) -> str:
    """`pay_calc` for "pay-calc": the package to run."""
    return service.replace("-", "_")


def inherited() -> dict[str, str]:
    """Our own environment without the variables that only the command line and the stack read."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in TOOLS_OWN and not name.startswith(_TOOL_PREFIXES)
    }


def service_env(service: str, port: int, urls: DatabaseUrls, wiring: Wiring) -> dict[str, str]:
    """The environment of one replica. The owner's address is not in it: only `migrate` may change the schema."""
    files = wiring.paths.files / service
    files.mkdir(parents=True, exist_ok=True)
    env = inherited() | {
        "PYTHONUNBUFFERED": "1",
        "PAYBILL_DATABASE_API_URL": urls.api,
        "PAYBILL_DATABASE_WORKER_URL": urls.worker,
        "PAYBILL_KAFKA_BOOTSTRAP": wiring.kafka_bootstrap,
        "PAYBILL_HTTP_HOST": LOOPBACK,
        "PAYBILL_HTTP_PORT": str(port),
        "PAYBILL_JWKS_FILE": str(wiring.keys.jwks),
        "PAYBILL_SERVICE_URLS": json.dumps(dict(wiring.service_urls)),
        "PAYBILL_PUBLIC_URL": f"http://{LOOPBACK}:{port}",
        "PAYBILL_FILES_DIR": str(files),
        "PAYBILL_MAIL_DIR": str(_made(wiring.paths.mail)),
    }
    if wiring.business_now is not None:
        env["PAYBILL_BUSINESS_NOW"] = wiring.business_now
    if ISSUER in wiring.service_urls:
        env["PAYBILL_PAGES_URL"] = wiring.service_urls[ISSUER]
    if service == ISSUER:
        env["PAYBILL_SIGNING_KEY_FILE"] = str(wiring.keys.signing_key)
        env["PAYBILL_CLIENTS_FILE"] = str(wiring.keys.clients)
    if service == LINKER:
        env["PAYBILL_LINK_KEY_FILE"] = str(wiring.keys.link_key)
    return env


def migrate_env(service: str, port: int, urls: DatabaseUrls, wiring: Wiring) -> dict[str, str]:
    """The environment of `python -m <module> migrate`: the same, with the schema owner's address."""
    return service_env(service, port, urls, wiring) | {"PAYBILL_DATABASE_OWNER_URL": urls.owner}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
