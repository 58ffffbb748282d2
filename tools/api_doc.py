"""What documents say about doors and topics, generated from the code, so that it cannot drift.

`python -m tools.api_doc` writes the parts between `<!-- generated: NAME -->` and `<!-- end of NAME -->` in docs/api.md (every
operation of every service, from its OpenAPI document) and in each service's README (its topics, from contracts/topics and its
subscription). `--check` changes nothing, names what is stale, and returns 1.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from paybill_common.auth import SCOPES
from paybill_common.config import Settings
from paybill_common.consumer import Subscription
from paybill_common.service import build_app, build_runtime
from paybill_contracts.topics import Topic, all_topics
from tools.deployment import ROOT, SERVICES

API_DOC = "docs/api.md"
AGENCY = "/v1/agencies/{agency_id}"
OPERATIONS = "/v1/ops"
NOWHERE = "postgresql+asyncpg://nobody:nothing@127.0.0.1:1/none"
_METHODS = ("get", "put", "post", "patch", "delete")


class NoMarkers(Exception):
    """A document lacks the pair of comments between which a generated part goes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write or check every generated part. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; return 1 when a part is stale")
    check = parser.parse_args(argv).check
    stale = []
    for name, parts in generated_parts().items():
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = before
        for part, body in parts.items():
            after = with_part(after, part, body, name)
        if after == before:
            continue
        stale.append(name)
        if not check:
            path.write_text(after, encoding="utf-8")
    for name in stale:
        sys.stdout.write(f"{name}: {'stale; run `python -m tools.api_doc`' if check else 'written'}\n")
    return 1 if check and stale else 0


def generated_parts() -> dict[str, dict[str, str]]:
    """Document to part to Markdown."""
    apps = {service.name: app_of(service.name) for service in SERVICES}
    documents = {name: app.openapi() for name, app in apps.items()}
    parts = {API_DOC: {"doors": doors(documents), "scopes": scopes()}}
    for name, app in apps.items():
        parts[f"services/{name}/README.md"] = {"topics": topics_of(name, app.state.subscription, all_topics())}
    return parts


def with_part(text: str, part: str, body: str, document: str = "the document") -> str:
    """The text with this generated part replaced. Raises NoMarkers when the document has no place for it."""
    pattern = re.compile(rf"(<!-- generated: {re.escape(part)} -->\n).*?(<!-- end of {re.escape(part)} -->)", re.DOTALL)
    changed, count = pattern.subn(lambda found: f"{found[1]}{body}\n{found[2]}", text)
    if count != 1:
        raise NoMarkers(
            f"{document} has {count} pairs of <!-- generated: {part} --> and <!-- end of {part} -->; need one"
        )
    return changed


def app_of(service: str) -> FastAPI:
    """The service's app as it would run. Nothing is connected and nothing is written."""
    spec = importlib.import_module(f"{service.replace('-', '_')}.app").SPEC
    settings = Settings(
        database_api_url=NOWHERE,
        database_worker_url=NOWHERE,
        kafka_bootstrap="127.0.0.1:1",
        files_dir=Path(tempfile.gettempdir()),
    )
    return build_app(build_runtime(spec, settings))


def doors(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of operations a service; what all have alike is one table of its own."""
    sections = []
    for name, document in documents.items():
        rows = [row for path, row in _operations(document) if not path.startswith(OPERATIONS)]
        sections.append(f"### {name}\n\n{document['info']['description']}\n\n{_table(rows)}")
    alike = [row for path, row in _operations(next(iter(documents.values()))) if path.startswith(OPERATIONS)]
    sections.append(f"### Every service, for operators\n\n{_table(alike)}")
    return "\n\n".join(sections)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            raw = item.get(method)
            if raw is not None:
                words = _first_sentence(raw.get("description", ""))
                yield path, (f"{method.upper()} `{path.replace(AGENCY, '…') or '/'}`", _scopes_of(raw), words)


def _scopes_of(raw: Mapping[str, Any]) -> str:
    needed = [scope for way in raw.get("security", ()) for listed in way.values() for scope in listed]
    return ", ".join(f"`{scope}`" for scope in needed) or "nothing"


def _first_sentence(description: str) -> str:
    """The first paragraph's first sentence, on one line, without a full stop and fit for a table cell."""
    paragraph = " ".join(description.split("\n\n", 1)[0].split()).replace("|", "\\|")
    return re.split(r"(?<=[.?!])\s+(?=[A-Z`0-9])", paragraph, maxsplit=1)[0].rstrip(".")


def _table(rows: Iterable[Sequence[str]], head: Sequence[str] = ("operation", "needs", "what")) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def scopes() -> str:
    """What each scope lets its bearer do."""
    return _table([(f"`{scope}`", words) for scope, words in SCOPES.items()], ("scope", "lets its bearer"))


def topics_of(service: str, subscription: Subscription | None, topics: Sequence[Topic]) -> str:
    """What a service tells and reads, from the contracts and its subscription."""
    told = [
        (f"`{topic.name}`", topic.key, _words(topic.events), ", ".join(topic.consumers))
        for topic in topics
        if service in topic.producers and topic.events
    ]
    head = ("tells on", "key", "events", "read by")
    tells = _table(told, head) if told else "It tells nothing that others act on."
    if subscription is None:
        return f"{tells}\n\nIt reads no topic."
    handled = {kind.TYPE for kind in subscription.handles}
    read = []
    for topic in topics:
        if topic.name in subscription.topics:
            taken = [event for event in topic.events if event in handled]
            passed = [event for event in topic.events if event not in handled]
            read.append((f"`{topic.name}`", topic.owner, _words(taken) or "none", _words(passed) or "none"))
    return f"{tells}\n\n{_table(read, ('reads', 'owner', 'handles', 'passes over'))}"


def _words(events: Iterable[str]) -> str:
    """`timesheet.approved` for paybill.timesheet.approved.v1; a later major version keeps its number."""
    return ", ".join(f"`{event.removeprefix('paybill.').removesuffix('.v1')}`" for event in events)


if __name__ == "__main__":
    raise SystemExit(main())
