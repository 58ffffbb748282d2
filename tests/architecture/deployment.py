"""What the deployment tests share: reading files, and validating a manifest against its schema, unknown fields included."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = Path(__file__).with_name("schemas")
KUBERNETES_VERSION = "1.34"
BASE = ROOT / "deploy" / "k8s" / "base"
OVERLAYS = ROOT / "deploy" / "k8s" / "overlays"
Document = dict[str, Any]


@cache
def compose() -> Document:
    """docker-compose.yml, parsed, variables as they stand."""
    document: Document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return document


def documents_of(path: Path) -> list[Document]:
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


@cache
def base() -> tuple[Document, ...]:
    """Every resource of the base."""
    return tuple(document for path in resource_files(BASE) for document in documents_of(path))


def resource_files(folder: Path) -> list[Path]:
    """The files that a kustomization names, without the folders."""
    named = kustomization(folder)["resources"]
    return [folder / name for name in named if (folder / name).is_file()]


def kustomization(folder: Path) -> Document:
    [document] = documents_of(folder / "kustomization.yaml")
    return document


def rendered(overlay: str) -> list[Document] | None:
    """What kustomize makes of an overlay, where kubectl or kustomize is installed; None elsewhere."""
    for command in (["kubectl", "kustomize"], ["kustomize", "build"]):
        if shutil.which(command[0]):
            made = subprocess.run([*command, str(OVERLAYS / overlay)], capture_output=True, check=True, timeout=60)
            return [document for document in yaml.safe_load_all(made.stdout) if document]
    return None


@cache
def crd_schemas() -> dict[tuple[str, str], Document]:
    """(apiVersion, kind) to the schema of the operators' resources."""
    read = [
        json.loads(path.read_text(encoding="utf-8")) for path in SCHEMAS.glob("*.json") if path.stem != "compose-spec"
    ]
    return {(each["apiVersion"], each["kind"]): strict(each["openAPIV3Schema"]) for each in read}


def strict(schema: Any) -> Any:
    """The same schema, refusing a field that the API server would silently drop."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {n: strict(s) for n, s in value.items()} if key == "properties" else strict(value)
        for key, value in schema.items()
    }
    if made.get("x-kubernetes-int-or-string"):
        return {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    open_ended = made.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in made
    if made.get("type") == "object" and "properties" in made and not open_ended:
        made["additionalProperties"] = False
    return made


def problems(document: Document) -> Iterator[str]:
    """Each way in which a resource breaks its schema."""
    where = f"{document['kind']} {document['metadata']['name']}"
    schema = crd_schemas().get((document["apiVersion"], document["kind"]))
    if schema is None:
        try:
            kubernetes_validate.validate(document, KUBERNETES_VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{where}: {'/'.join(str(part) for part in error.path)}: {error.message}"
        return
    body = {name: schema["properties"].get(name, {}) for name in ("spec",)}
    checked = {"type": "object", "required": ["spec"], "properties": body}
    for broken in jsonschema.Draft202012Validator(checked).iter_errors(document):
        yield f"{where}: {'/'.join(str(part) for part in broken.path)}: {broken.message}"


def variables(text: str) -> set[str]:
    """Names that compose substitutes: `${NAME}`, `${NAME:-default}`, `${NAME:?message}`."""
    return set(re.findall(r"\$\{([A-Z_]+)", text))


def pods(documents: tuple[Document, ...] | list[Document]) -> Iterator[tuple[str, Document]]:
    """Name and pod spec of every Deployment and Job."""
    for document in documents:
        if document["kind"] in ("Deployment", "Job"):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]
