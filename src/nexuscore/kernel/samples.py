"""A value made up from a JSON Schema, as plain as can be: for examples in documents, and for tests of subscribers."""

import re
from collections.abc import Mapping
from typing import Any

SAMPLE_ID = "019ab1e2-c3d4-7f00-8000-000000000001"
_BY_FORMAT: dict[str, Any] = {
    "uuid": SAMPLE_ID,
    "date-time": "2026-11-20T12:00:00Z",
    "date": "2026-11-20",
    "time": "12:00:00",
    "duration": "PT15M",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "ipv4": "93.184.215.14",
    "binary": "",
}
_BY_NAME = {
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "title": "Milk",
    "code": "123456",
    "sort": "-id",
    "slug": "analytical-engines",
    "locale": "en",
    "time_zone": "Asia/Singapore",
    "currency": "SGD",
    "url": "https://example.com/hook",
    "phone": "+6591234567",
    "ip": "93.184.215.14",
    "reason": "Asked for by the customer.",
    "password": "correct Horse 7 battery",
}


def sample(shape: Any, shared: Mapping[str, Any], name: str = "", within: tuple[str, ...] = ()) -> Any:
    """A value that fits a schema; `shared` holds what its references name, `name` is the field it is for.

    `within` are the references it is inside of: what holds itself ends where the schema lets it.
    """
    if not isinstance(shape, Mapping):
        return None
    if (ref := shape.get("$ref")) is not None:
        return sample(shared[ref.rpartition("/")[2]], shared, name, (*within, ref))
    if "const" in shape:
        return shape["const"]
    for key in ("examples", "enum"):
        if shape.get(key):
            return shape[key][0]
    if shape.get("default") is not None:
        return shape["default"]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in shape:
            choice = next((each for each in shape[key] if each.get("$ref") not in within), {"type": "null"})
            return sample(choice, shared, name, within)
    return _of_type(shape, shared, name, within)


def _of_type(shape: Mapping[str, Any], shared: Mapping[str, Any], name: str, within: tuple[str, ...]) -> Any:
    match shape.get("type"):
        case "object":
            fields = shape.get("properties", {})
            return {each: sample(fields[each], shared, each, within) for each in shape.get("required", fields)}
        case "array":
            items = shape.get("items")
            if not items or items.get("$ref") in within:
                return []
            return [sample(items, shared, name.removesuffix("s"), within)]
        case "integer":
            return int(shape.get("minimum", shape.get("exclusiveMinimum", 0) + 1))
        case "number":
            return float(shape.get("minimum", 1))
        case "string":
            return _text(shape, name)
        case kind:
            return True if kind == "boolean" else None


_OTHERWISE = (
    "text",
    "TEXT",
    "example",
    "SGD",
    "SG",
    "en",
    "123456",
    "1",
    "2026-11",
    "+6591234567",
    "T08LL0001A",
    "0.5",
)


def _text(shape: Mapping[str, Any], name: str) -> str:
    if shape.get("format") in _BY_FORMAT:
        return str(_BY_FORMAT[shape["format"]])
    fitting = (text for text in (_BY_NAME.get(name, "text"), *_OTHERWISE) if re.search(shape.get("pattern", ""), text))
    text = next(fitting, "text")[: shape.get("maxLength")]
    return text.ljust(shape.get("minLength", 0), "x")
