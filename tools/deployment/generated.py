"""Every generated file and the text that it should have."""

from __future__ import annotations

from tools.deployment import SERVICES, kubernetes
from tools.deployment.databases_sql import databases_sql
from tools.deployment.env_example import env_example


def generated_files() -> dict[str, str]:
    """Path from the root of the tree to text."""
    files = {
        ".env.example": env_example(),
        "deploy/compose/postgres/databases.sql": databases_sql(),
        "deploy/k8s/base/kafka/topics.yaml": kubernetes.dump("contracts/topics", kubernetes.topics()),
    }
    source = "tools/deployment/kubernetes.py"
    for service in SERVICES:
        files[f"deploy/k8s/base/services/{service.name}.yaml"] = kubernetes.dump(source, kubernetes.service(service))
        files[f"deploy/k8s/base/databases/{service.name}.yaml"] = kubernetes.dump(source, kubernetes.database(service))
    files["deploy/k8s/base/network-policies.yaml"] = kubernetes.dump(source, kubernetes.network_policies())
    return files
