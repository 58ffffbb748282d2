"""deploy/k8s: every resource obeys its schema, overlays fit the base, and all of it agrees with the code."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from paybill_common.config import PREFIX, Settings
from paybill_contracts.topics import all_topics
from paybill_stack.bootstrap import SERVICES, database_name
from paybill_stack.keys import ensure_keys
from tests.architecture.deployment import (
    BASE,
    OVERLAYS,
    ROOT,
    base,
    crd_schemas,
    documents_of,
    kustomization,
    pods,
    problems,
    rendered,
    resource_files,
)
from tools.deployment.kubernetes import LAGGING_TOPICS, WORKERS_MAX
from tools.deployment.secrets import secret_documents

SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
NAMES = ("dev", "prod")
MAY_BE_LOST = {
    "invoicing/src/invoicing/api/documents.py": "PDFs of documents, drawn again from their rows",
    "pay-calc/src/pay_calc/api/pay_runs.py": "ZIPs of payslips, made again from their rows",
    "timesheet/src/timesheet/usecases/mailing.py": "the sink folder, where no mail server is set",
    "timesheet/src/timesheet/app.py": "a replica's own key of old links: read where it is, and never made",
}
"""Who reads `files_dir` of a service whose pods have a disk of their own that ends with them, and why that is harmless."""


def of_kind(kind: str) -> dict[str, Any]:
    return {each["metadata"]["name"]: each for each in base() if each["kind"] == kind}


def test_every_base_resource_obeys_its_schema() -> None:
    assert [problem for document in base() for problem in problems(document)] == []


@pytest.mark.parametrize("overlay", NAMES)
def test_every_overlay_obeys_the_schemas(overlay: str) -> None:
    """The whole overlay where kustomize is installed; everywhere, each file that it adds."""
    folder = OVERLAYS / overlay
    own = [document for path in resource_files(folder) for document in documents_of(path)]
    for document in [*own, *(rendered(overlay) or [])]:
        assert list(problems(document)) == []


def test_the_schema_check_can_fail() -> None:
    """A field that no schema knows is refused in every kind that we use."""
    for kind in {document["kind"] for document in base() if "spec" in document}:
        document = copy.deepcopy(next(iter(of_kind(kind).values())))
        document["spec"]["paybillWasHere"] = True
        assert list(problems(document)), kind
    used = {(document["apiVersion"], document["kind"]) for document in base()}
    backups = {("postgresql.cnpg.io/v1", "ScheduledBackup")}
    assert set(crd_schemas()) <= used | backups


def test_every_file_is_listed_and_every_listed_file_exists() -> None:
    listed = {BASE / name for name in kustomization(BASE)["resources"]}
    assert listed == set(BASE.rglob("*.yaml")) - {BASE / "kustomization.yaml"}
    for overlay in NAMES:
        folder = OVERLAYS / overlay
        plan = kustomization(folder)
        patches = [patch["path"] for patch in plan["patches"] if "path" in patch]
        assert "../../base" in plan["resources"]
        files = {folder / name for name in [*plan["resources"], *patches] if name != "../../base"}
        assert files == set(folder.rglob("*.yaml")) - {folder / "kustomization.yaml"}


@pytest.mark.parametrize("overlay", NAMES)
def test_every_patch_has_something_to_change(overlay: str) -> None:
    for patch in kustomization(OVERLAYS / overlay)["patches"]:
        target = patch["target"]
        matched = [name for name in of_kind(target["kind"]) if re.fullmatch(target.get("name", ".*"), name)]
        assert matched, target
    images = {each["name"] for each in kustomization(OVERLAYS / overlay).get("images", ())}
    assert images <= {f"paybill/{service}" for service in SERVICES}


def test_topics_are_those_of_the_contracts() -> None:
    found = of_kind("KafkaTopic")
    assert set(found) == {declared.name for declared in all_topics()}
    for declared in all_topics():
        spec = found[declared.name]["spec"]
        assert spec["partitions"] == declared.partitions
        assert {name: str(value) for name, value in spec["config"].items()} == declared.config


def test_every_service_has_its_rooms() -> None:
    for service in SERVICES:
        assert {f"{service}-api", f"{service}-worker"} <= set(of_kind("Deployment"))
        assert {f"{service}-api", f"{service}-worker"} <= set(of_kind("PodDisruptionBudget"))
        assert f"{service}-migrate" in of_kind("Job")
        assert of_kind("Service")[service]["spec"]["ports"][0]["port"] == 8000
        initdb = of_kind("Cluster")[f"{service}-db"]["spec"]["bootstrap"]["initdb"]
        assert initdb["database"] == database_name(service)
        assert initdb["owner"] == f"{database_name(service)}_owner"


def test_every_setting_is_known_and_the_needed_ones_are_there() -> None:
    shared = of_kind("ConfigMap")["paybill-config"]["data"]
    required = {f"{PREFIX}{name.upper()}" for name, field in Settings.model_fields.items() if field.is_required()}
    for name, pod in pods(base()):
        [container] = pod["containers"]
        own = {each["name"] for each in container["env"]}
        assert {key for key in own | set(shared) if key.startswith(PREFIX)} <= SETTINGS
        assert required <= own | set(shared), name
        assert ("PAYBILL_DATABASE_OWNER_URL" in own) == (container["args"] == ["migrate"])
    [extra] = documents_of(OVERLAYS / "prod" / "config.yaml")
    assert set(extra["data"]) <= SETTINGS
    assert set(json.loads(shared["PAYBILL_SERVICE_URLS"])) == set(SERVICES)


def test_a_variable_is_defined_before_the_one_that_refers_to_it() -> None:
    for name, pod in pods(base()):
        seen: set[str] = set()
        for each in pod["containers"][0]["env"]:
            assert set(re.findall(r"\$\(([A-Z_]+)\)", each.get("value", ""))) <= seen, name
            seen.add(each["name"])


def test_kubernetes_injects_no_variable_that_looks_like_a_setting() -> None:
    """A service named paybill-… would otherwise become PAYBILL_… variables, and an unknown one stops the start."""
    assert all(pod["enableServiceLinks"] is False for _, pod in pods(base()))


def test_every_pod_is_hardened_limited_and_probed() -> None:
    for name, pod in pods(base()):
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}
        if container["args"] != ["migrate"]:
            assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
            assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"


def test_pay_calc_scales_on_lag_up_to_the_partitions() -> None:
    [scaler] = of_kind("ScaledObject").values()
    assert scaler["spec"]["scaleTargetRef"]["name"] == "pay-calc-worker"
    assert scaler["spec"]["maxReplicaCount"] == WORKERS_MAX
    assert "replicas" not in of_kind("Deployment")["pay-calc-worker"]["spec"]
    partitions = {declared.name: declared.partitions for declared in all_topics()}
    assert {partitions[topic] for topic in LAGGING_TOPICS} == {WORKERS_MAX}
    for trigger in scaler["spec"]["triggers"]:
        assert trigger["metadata"]["topic"] in LAGGING_TOPICS
        assert trigger["metadata"]["consumerGroup"] == "pay-calc"


def test_every_secret_that_is_used_is_made_by_the_secrets_command(tmp_path: Any) -> None:
    made = {each["metadata"]["name"]: set(each["stringData"]) for each in secret_documents(ensure_keys(tmp_path))}
    for _, pod in pods(base()):
        for each in pod["containers"][0]["env"]:
            reference = each.get("valueFrom", {}).get("secretKeyRef")
            assert reference is None or reference["key"] in made[reference["name"]]
        for volume in pod["volumes"]:
            assert "secret" not in volume or volume["secret"]["secretName"] in made
    for cluster in of_kind("Cluster").values():
        spec = cluster["spec"]
        names = [role["passwordSecret"]["name"] for role in spec["managed"]["roles"]]
        assert {*names, spec["bootstrap"]["initdb"]["secret"]["name"]} <= set(made)
    assert "Secret" not in {document["kind"] for document in base()}


def test_what_a_service_needs_again_is_not_on_a_disk_that_ends_with_the_pod() -> None:
    """Whoever makes a service use its files folder says here that the file may be lost, or gives the service a volume."""
    [folder] = re.findall(r"PAYBILL_FILES_DIR=(\S+)", (ROOT / "deploy/docker/Dockerfile").read_text(encoding="utf-8"))
    keeping: dict[str, bool] = {}
    for name, pod in pods(base()):
        [mounted] = [each for each in pod["containers"][0]["volumeMounts"] if folder.startswith(each["mountPath"])]
        [volume] = [each for each in pod["volumes"] if each["name"] == mounted["name"]]
        service = name.rsplit("-", 1)[0]
        keeping[service] = keeping.get(service, True) and "persistentVolumeClaim" in volume
    users = {
        path.relative_to(ROOT / "services").as_posix()
        for path in (ROOT / "services").glob("*/src/**/*.py")
        if re.search(r"\bfiles_dir\b", path.read_text(encoding="utf-8"))
    }
    assert set(keeping) == set(SERVICES)
    assert {path for path in users if not keeping[path.split("/")[0]]} == set(MAY_BE_LOST)


def test_network_policies_deny_by_default_and_admit_each_service_to_its_own_database_only() -> None:
    policies = of_kind("NetworkPolicy")
    deny = policies["paybill-default-deny"]["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    assert "egress" not in deny
    for service in SERVICES:
        [rule, *_] = policies[f"{service}-database"]["spec"]["ingress"]
        admitted = [peer["podSelector"]["matchLabels"] for peer in rule["from"]]
        assert [labels["app.kubernetes.io/name"] for labels in admitted if "app.kubernetes.io/name" in labels] == [
            service
        ]
