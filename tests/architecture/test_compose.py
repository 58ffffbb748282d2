"""docker-compose.yml: valid, hardened, and in agreement with the code's settings, services, ports and topics."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from paybill_common import telemetry
from paybill_common.config import PREFIX, Settings
from paybill_stack.bootstrap import SERVICES, database_name
from paybill_stack.jars import COORDINATES
from tests.architecture.deployment import ROOT, SCHEMAS, compose, variables
from tools.deployment.env_example import COMPOSE_SECRETS

SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
CONTAINERS: dict[str, dict[str, Any]] = compose()["services"]
OURS = {name: each for name, each in CONTAINERS.items() if "paybill" in each["image"]}
RUNNING = {name: each for name, each in OURS.items() if each.get("command") in (["all"], ["api"], ["worker"])}
WITHOUT_PROBE = {"otel-collector"}
"""Its image holds neither a shell nor a client to ask with; Prometheus watches it."""
PROMETHEUS = ROOT / "deploy" / "compose" / "prometheus"
GRAFANA = ROOT / "deploy" / "compose" / "grafana"


def service_of(container: dict[str, Any]) -> str:
    """`pay-calc` from the image `…/pay-calc:…`."""
    return str(container["image"]).split("/")[-1].split(":")[0]


def test_the_file_obeys_the_compose_specification() -> None:
    schema = json.loads((SCHEMAS / "compose-spec.json").read_text(encoding="utf-8"))
    assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(compose())] == []


def test_the_five_services_run_and_two_workers_calculate_pay() -> None:
    roles = {name: (service_of(each), *each["command"]) for name, each in RUNNING.items()}
    assert roles == {
        "timesheet": ("timesheet", "all"),
        "pay-calc": ("pay-calc", "api"),
        "pay-calc-worker": ("pay-calc", "worker"),
        "invoicing": ("invoicing", "all"),
        "compliance": ("compliance", "all"),
        "reporting": ("reporting", "all"),
    }
    assert RUNNING["pay-calc-worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_setting_is_known_and_the_needed_ones_are_there(name: str) -> None:
    environment = OURS[name].get("environment", {})
    assert {key for key in environment if key.startswith(PREFIX)} <= SETTINGS
    if name == "topics":
        return
    required = {f"{PREFIX}{key.upper()}" for key, field in Settings.model_fields.items() if field.is_required()}
    assert required <= set(environment)
    database = database_name(service_of(OURS[name]))
    for role in ("owner", "api", "worker"):
        url = environment.get(f"PAYBILL_DATABASE_{role.upper()}_URL")
        assert url is None or f"//{database}_{role}:" in url
        assert url is None or url.endswith(f"@postgres:5432/{database}")
    assert ("PAYBILL_DATABASE_OWNER_URL" in environment) == (OURS[name]["command"] == ["migrate"])


def test_services_find_each_other_on_the_port_that_the_image_listens_on() -> None:
    urls = json.loads(RUNNING["timesheet"]["environment"]["PAYBILL_SERVICE_URLS"])
    assert urls == {service: f"http://{service}:8000" for service in SERVICES}
    assert "PAYBILL_HTTP_PORT=8000" in (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")


def test_only_loopback_is_published_and_no_port_twice() -> None:
    published = [port for each in CONTAINERS.values() for port in each.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert len({port.split(":")[1] for port in published}) == len(published)
    assert {name for name in RUNNING if RUNNING[name].get("ports")} == set(SERVICES)


def test_every_service_waits_for_its_own_migration_and_the_topics() -> None:
    for name, each in RUNNING.items():
        waits = {other: how["condition"] for other, how in each["depends_on"].items()}
        assert waits[f"{service_of(each)}-migrate"] == waits["topics"] == "service_completed_successfully", name
        assert waits["kafka"] == waits["postgres"] == "service_healthy", name
    for service in SERVICES:
        waits = CONTAINERS[f"{service}-migrate"]["depends_on"]
        assert waits["databases"]["condition"] == "service_completed_successfully"


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_every_container_is_hardened_and_limited(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert str(container["user"]).split(":")[0] not in ("root", "0", "")
    assert {"cpus", "memory", "pids"} <= set(container["deploy"]["resources"]["limits"])


def test_what_stays_up_has_a_health_check() -> None:
    image_has_one = set(RUNNING)
    jobs = {name for name, each in CONTAINERS.items() if str(each["restart"]).startswith("on-failure")}
    checked = {name for name, each in CONTAINERS.items() if "test" in each.get("healthcheck", {})} | image_has_one
    assert set(CONTAINERS) - jobs - checked == WITHOUT_PROBE
    assert "HEALTHCHECK" in (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8")


def test_no_password_is_committed_and_each_must_be_given() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    secret = {name for name in variables(text) if name.endswith("_PASSWORD")}
    assert secret == set(COMPOSE_SECRETS)
    for name in secret:
        assert f"${{{name}:?" in text, f"{name} has no refusal"
        assert f"${{{name}:-" not in text, f"{name} has a default"
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert all(f"\n{name}=\n" in example for name in secret)


def test_mounted_files_exist_or_are_made_by_the_secrets_command() -> None:
    for name, each in CONTAINERS.items():
        for volume in each.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (ROOT / source).exists(), f"{name}: {source}"
            else:
                assert source in compose()["volumes"], f"{name}: {source}"
    assert {each["file"] for each in compose()["secrets"].values()} == {
        f"./var/compose/keys/{name}" for name in ("jwks.json", "signing-key.pem", "link-key.txt", "clients.json")
    }


@pytest.mark.parametrize(("secret", "owner"), [("signing-key.pem", "reporting"), ("link-key.txt", "timesheet")])
def test_a_private_key_is_given_to_its_one_user(secret: str, owner: str) -> None:
    assert {name for name, each in CONTAINERS.items() if secret in each.get("secrets", ())} == {owner}


def test_the_broker_is_the_version_that_the_tests_run_on() -> None:
    version = COORDINATES.split("+")[0].rsplit(":", 1)[1]
    assert CONTAINERS["kafka"]["image"] == f"apache/kafka:{version}"


def test_prometheus_scrapes_every_process() -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    [ours] = [job for job in config["scrape_configs"] if job["job_name"] == "paybill"]
    assert set(ours["dns_sd_configs"][0]["names"]) == set(RUNNING)


def metric_names() -> set[str]:
    """Every name that the catalogue exposes, histograms with their parts."""
    metrics = [value for value in vars(telemetry).values() if isinstance(value, Counter | Gauge | Histogram)]
    names: set[str] = set()
    for metric in metrics:
        [described] = metric.describe()
        name, kind = described.name, described.type
        names |= {"counter": {f"{name}_total"}, "histogram": {f"{name}_bucket", f"{name}_count", f"{name}_sum"}}.get(
            kind, {name}
        )
    return names


def used_metrics(expressions: list[str]) -> set[str]:
    return {name for expression in expressions for name in re.findall(r"paybill_[a-z_]+", expression)}


def test_the_dashboard_shows_what_the_code_measures() -> None:
    [path] = (GRAFANA / "dashboards").glob("*.json")
    panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
    used = used_metrics([target["expr"] for panel in panels for target in panel["targets"]])
    assert used <= metric_names()
    for needed in (
        "consumer_lag",
        "batch_events",
        "handler_seconds",
        "dead_letters_open",
        "outbox_age_seconds",
        "http_request",
    ):
        assert any(needed in name for name in used), needed


def test_every_alert_uses_known_metrics_and_names_a_runbook() -> None:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert used_metrics([rule["expr"] for rule in rules]) <= metric_names()
    for rule in rules:
        assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["alert"]
