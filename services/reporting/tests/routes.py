"""The routes that OpenAPI does not name: pages, exports, commands and files, each with the addresses it is asked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Any, get_args

from fastapi import FastAPI
from fastapi.routing import APIRoute

from reporting.api.web.commands import COMMANDS
from reporting.api.web.records import FILES, PARTS

TEXTS: dict[tuple[str, str], Sequence[str]] = {
    ("command", "name"): tuple(COMMANDS),
    ("system_command", "name"): ("replay", "discard", "resume"),
    ("file_of_owner", "kind"): tuple(FILES),
    ("file_of_owner", "part"): tuple(PARTS),
}
"""By route and parameter, the texts that code compares; a choice that a route declares is read from it."""


@dataclass(frozen=True)
class Hidden:
    """One method of a route."""

    route: APIRoute
    method: str

    @property
    def name(self) -> str:
        return self.route.name

    @property
    def path(self) -> str:
        return self.route.path

    @property
    def of_an_agency(self) -> bool:
        """An agency stands in its address: a stranger to it is refused before anything is read."""
        return "agency_id" in self.route.param_convertors or "agency" in self.query

    @property
    def query(self) -> dict[str, bool]:
        """Its declared query parameters: whether each must be there."""
        return {field.alias: field.field_info.is_required() for field in self.route.dependant.query_params}

    def choices(self, values: Mapping[str, object]) -> dict[str, Sequence[str]]:
        """What each parameter of its path may be. KeyError: neither the route nor `values` says so."""
        fields = {field.name: field for field in self.route.dependant.path_params}
        return {name: self._texts(name, fields[name], values) for name in self.route.param_convertors}

    def urls(self, values: Mapping[str, object]) -> Iterator[str]:
        """Its path with every choice."""
        found = self.choices(values)
        for chosen in product(*found.values()):
            yield self.route.path_format.format_map(dict(zip(found, chosen, strict=True)))

    def _texts(self, name: str, field: Any, values: Mapping[str, object]) -> Sequence[str]:
        if (self.name, name) in TEXTS:
            return TEXTS[self.name, name]
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, Enum):
            return [str(next(iter(kind)).value)]
        return [str(one) for one in get_args(kind)[:1] or [values[name]]]


def hidden(app: FastAPI) -> list[Hidden]:
    """Every method of every route that is not in the schema."""
    routes = [one for one in app.routes if isinstance(one, APIRoute) and not one.include_in_schema]
    return [Hidden(route, method) for route in routes for method in sorted(route.methods)]
