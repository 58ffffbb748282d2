"""Is a new schema one that yesterday's readers and writers can live with? Each way it is not has a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

Kind = Literal[
    "property_removed",
    "property_became_required",
    "required_property_made_optional",
    "type_changed",
    "enum_value_removed",
    "pattern_changed",
    "bound_tightened",
]
_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")


class Incompatibility(NamedTuple):
    """One change that breaks a reader or a writer of the older minor."""

    kind: Kind
    where: str
    detail: str


def incompatibilities(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Incompatibility]:
    """What of `new` breaks readers of `old`. A minor may only add optional properties and enum values may not vanish."""
    return list(_compare(old, new, old, new, "#", set()))


def _compare(
    old: Any, new: Any, old_root: Mapping[str, Any], new_root: Mapping[str, Any], where: str, seen: set[tuple[str, str]]
) -> Iterator[Incompatibility]:
    pair = (str(old.get("$ref", "")), str(new.get("$ref", "")))
    if any(pair):
        if pair in seen:
            return
        seen = seen | {pair}
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    for key in ("type", "format", "const"):
        if old.get(key) != new.get(key):
            yield Incompatibility("type_changed", where, f"{key}: {old.get(key)!r} became {new.get(key)!r}")
    if old.get("pattern") != new.get("pattern"):
        yield Incompatibility("pattern_changed", where, f"{old.get('pattern')!r} became {new.get('pattern')!r}")
    lost = [value for value in old.get("enum", []) if value not in new.get("enum", old.get("enum", []))]
    if lost:
        yield Incompatibility("enum_value_removed", where, ", ".join(map(str, lost)))
    yield from _bounds(old, new, where)
    old_options, new_options = old.get("anyOf", []), new.get("anyOf", [])
    if len(old_options) != len(new_options):
        yield Incompatibility("type_changed", where, f"{len(old_options)} alternatives became {len(new_options)}")
    for index, (a, b) in enumerate(zip(old_options, new_options, strict=False)):
        yield from _compare(a, b, old_root, new_root, f"{where}/anyOf/{index}", seen)
    if "items" in old and "items" in new:
        yield from _compare(old["items"], new["items"], old_root, new_root, f"{where}/items", seen)
    yield from _properties(old, new, old_root, new_root, where, seen)


def _properties(
    old: Any, new: Any, old_root: Mapping[str, Any], new_root: Mapping[str, Any], where: str, seen: set[tuple[str, str]]
) -> Iterator[Incompatibility]:
    before, after = old.get("properties", {}), new.get("properties", {})
    must, must_now = set(old.get("required", [])), set(new.get("required", []))
    for name in before:
        if name not in after:
            yield Incompatibility("property_removed", f"{where}/{name}", "readers of the older minor expect it")
        else:
            yield from _compare(before[name], after[name], old_root, new_root, f"{where}/{name}", seen)
    for name in sorted(must_now - must):
        yield Incompatibility("property_became_required", f"{where}/{name}", "older messages lack it")
    for name in sorted((must - must_now) & set(after)):
        yield Incompatibility("required_property_made_optional", f"{where}/{name}", "older readers need it")


def _bounds(old: Any, new: Any, where: str) -> Iterator[Incompatibility]:
    for key in _LOWER_BOUNDS:
        if key in new and (key not in old or new[key] > old[key]):
            yield Incompatibility("bound_tightened", where, f"{key}: {old.get(key)} became {new[key]}")
    for key in _UPPER_BOUNDS:
        if key in new and (key not in old or new[key] < old[key]):
            yield Incompatibility("bound_tightened", where, f"{key}: {old.get(key)} became {new[key]}")


def _resolve(schema: Any, root: Mapping[str, Any]) -> Any:
    reference = schema.get("$ref")
    if not reference:
        return schema
    return root["$defs"][reference.rsplit("/", 1)[1]]
