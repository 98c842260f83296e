"""Two OpenAPI documents compared: what a client of the first can no longer rely on in the second.

What a client sends must be taken as before; what it gets must be what it was told. More is allowed: new operations,
optional inputs, further fields and further values in answers.
"""

from collections.abc import Iterator
from typing import Any

Part = dict[str, Any]
_METHODS = ("get", "put", "post", "delete", "patch")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def breaking(old: Part, new: Part) -> list[str]:
    """What would break, a line each; empty when every client of `old` can go on with `new`."""
    return [
        *(f"{place}: {said}" for place, said in _operations(old, new)),
        *(f"webhook {name}: {said}" for name, said in _webhooks(old, new)),
    ]


def is_same_version(old: Part, new: Part) -> bool:
    """Whether clients were promised that nothing breaks between the two: the first number decides, 0 the second too."""
    before, after = (each["info"]["version"].split(".") for each in (old, new))
    count = 2 if before[0] == "0" else 1
    return bool(before[:count] == after[:count])


def _operations(old: Part, new: Part) -> Iterator[tuple[str, str]]:
    for path, methods in old["paths"].items():
        for method in _METHODS:
            if method not in methods:
                continue
            now = new["paths"].get(path, {}).get(method)
            place = f"{method.upper()} {path}"
            if now is None:
                yield place, "is gone"
                continue
            compared = _Compared(old, new)
            yield from ((place, said) for said in compared.operation(methods[method], now))


def _webhooks(old: Part, new: Part) -> Iterator[tuple[str, str]]:
    for name, methods in old.get("webhooks", {}).items():
        now = new.get("webhooks", {}).get(name)
        if now is None:
            yield name, "is gone"
            continue
        compared = _Compared(old, new)
        yield from (
            (name, said) for said in compared.content(methods["post"]["requestBody"], now["post"]["requestBody"])
        )


class _Compared:
    """One operation before and after, with the documents their references lead into."""

    def __init__(self, old: Part, new: Part) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[int, int, bool]] = set()

    def operation(self, old: Part, new: Part) -> Iterator[str]:
        """Everything about an operation."""
        if old["operationId"] != new["operationId"]:
            yield f"is called {new['operationId']} and was called {old['operationId']}; clients are generated from that"
        if not old.get("security") and new.get("security"):
            yield "was for everybody and now asks for a sign-in"
        if old.get("x-permission") != new.get("x-permission") and new.get("x-permission"):
            yield f"now asks for the permission {new['x-permission']}"
        yield from self._parameters(old, new)
        yield from self._body(old.get("requestBody"), new.get("requestBody"))
        for status, answer in old["responses"].items():
            if status < "300":
                yield from self._answer(status, answer, new["responses"].get(status))

    def content(self, old: Part, new: Part) -> Iterator[str]:
        """What is sent to the client: it must fit what was said of it."""
        for media, shape in old.get("content", {}).items():
            now = new.get("content", {}).get(media)
            if now is None and shape.get("schema"):
                yield f"no longer answers {media}"
            elif now is not None:
                yield from self._out(shape.get("schema", {}), now.get("schema", {}), "the answer")

    def _parameters(self, old: Part, new: Part) -> Iterator[str]:
        before, after = (
            {(each["in"], each["name"].lower()): each for each in operation.get("parameters", ())}
            for operation in (old, new)
        )
        for (place, name), parameter in before.items():
            now = after.get((place, name))
            if now is None:
                yield f"no longer takes the {place} parameter {name}"
                continue
            if now.get("required") and not parameter.get("required"):
                yield f"now needs the {place} parameter {name}"
            yield from self._in(parameter.get("schema", {}), now.get("schema", {}), f"the {place} parameter {name}")
        for place, name in after.keys() - before.keys():
            if after[place, name].get("required"):
                yield f"now needs the {place} parameter {name}"

    def _body(self, old: Part | None, new: Part | None) -> Iterator[str]:
        if old is None:
            if new is not None and new.get("required"):
                yield "now needs a body"
            return
        if new is None:
            yield "no longer takes a body"
            return
        if new.get("required") and not old.get("required"):
            yield "now needs its body"
        for media, shape in old["content"].items():
            if media in new["content"]:
                yield from self._in(shape.get("schema", {}), new["content"][media].get("schema", {}), "the body")
            else:
                yield f"no longer takes {media}"

    def _answer(self, status: str, old: Part, new: Part | None) -> Iterator[str]:
        if new is None:
            yield f"no longer answers {status}"
        else:
            yield from self.content(old, new)

    def _in(self, old: Any, new: Any, place: str) -> Iterator[str]:
        return self._fits(old, new, place, sent=True)

    def _out(self, old: Any, new: Any, place: str) -> Iterator[str]:
        return self._fits(new, old, place, sent=False)

    def _fits(self, given: Any, wanted: Any, place: str, *, sent: bool) -> Iterator[str]:
        """Why a value of schema `given` may not fit schema `wanted`. `sent` by the client, or answered to it."""
        given, wanted = self._resolved(given, old=sent), self._resolved(wanted, old=not sent)
        if (key := (id(given), id(wanted), sent)) in self._seen:
            return
        self._seen.add(key)
        choices = _choices(wanted)
        for one in _choices(given):
            tries = [
                list(self._one_fits(one, self._resolved(each, old=not sent), place, sent=sent)) for each in choices
            ]
            if all(tries):
                yield from min(tries, key=lambda said: (" is null now" in said[0], len(said)))

    def _one_fits(self, given: Any, wanted: Any, place: str, *, sent: bool) -> Iterator[str]:
        given = self._resolved(given, old=sent)
        if not _types(given) <= _types(wanted):
            yield f"{place} was {_words(wanted, given, sent=sent)}"
            return
        if given.get("format") != wanted.get("format") and wanted.get("format"):
            yield f"{place}: the format {wanted['format']} {'is asked for now' if sent else 'is no longer kept'}"
        yield from self._values_fit(given, wanted, place, sent=sent)
        yield from self._fields_fit(given, wanted, place, sent=sent)
        if "items" in given and "items" in wanted:
            yield from self._fits(given["items"], wanted["items"], f"{place}[]", sent=sent)

    def _values_fit(self, given: Part, wanted: Part, place: str, *, sent: bool) -> Iterator[str]:
        allowed = _values(wanted)
        if allowed is None:
            pass
        elif (own := _values(given)) is None:
            yield f"{place}: {'only some values are taken now' if sent else 'any value may come now'}"
        elif sent and own - allowed:
            yield f"{place} no longer takes {', '.join(sorted(own - allowed))}"
        if not sent:
            return
        if wanted.get("pattern") not in (None, given.get("pattern")):
            yield f"{place} must match another pattern now"
        for name in _LOWER:
            if name in wanted and wanted[name] > given.get(name, float("-inf")):
                yield f"{place}: {name} is {wanted[name]} now"
        for name in _UPPER:
            if name in wanted and wanted[name] < given.get(name, float("inf")):
                yield f"{place}: {name} is {wanted[name]} now"

    def _fields_fit(self, given: Part, wanted: Part, place: str, *, sent: bool) -> Iterator[str]:
        mine, theirs = given.get("properties", {}), wanted.get("properties", {})
        for name in sorted(set(wanted.get("required", ())) - set(given.get("required", ()))):
            lost = "may be missing now" if name in mine else "is gone"
            yield f"{place}: {name} {'is needed now' if sent else lost}"
        for name, shape in mine.items():
            if name in theirs:
                yield from self._fits(shape, theirs[name], f"{place}: {name}", sent=sent)
            elif sent and wanted.get("additionalProperties") is False:
                yield f"{place}: {name} is refused now"
        if not sent:
            yield from (
                f"{place}: {name} is gone" for name in theirs.keys() - mine.keys() - set(wanted.get("required", ()))
            )
        inner, outer = given.get("additionalProperties"), wanted.get("additionalProperties")
        if isinstance(inner, dict) and isinstance(outer, dict):
            yield from self._fits(inner, outer, f"{place}.*", sent=sent)

    def _resolved(self, shape: Any, *, old: bool) -> Part:
        document = self._old if old else self._new
        while isinstance(shape, dict) and "$ref" in shape:
            found: Any = document
            for part in shape["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            shape = found
        return shape if isinstance(shape, dict) else {}


def _choices(shape: Part) -> list[Any]:
    return list(shape.get("anyOf") or shape.get("oneOf") or [shape])


_ANY = frozenset({"string", "integer", "number", "boolean", "object", "array", "null"})


def _types(shape: Part) -> frozenset[str]:
    said = shape.get("type")
    if said is None:
        values = _values(shape)
        return _ANY if values is None else frozenset({"string", "integer", "number", "boolean", "null"})
    found = frozenset({said} if isinstance(said, str) else said)
    return found | {"integer"} if "number" in found else found


def _values(shape: Part) -> set[str] | None:
    if "const" in shape:
        return {str(shape["const"])}
    return {str(each) for each in shape["enum"]} if "enum" in shape else None


def _words(wanted: Part, given: Part, *, sent: bool) -> str:
    before, after = (given, wanted) if sent else (wanted, given)
    return f"{_named(before)} and is {_named(after)} now"


def _named(shape: Part) -> str:
    types = _types(shape)
    return "anything" if types == _ANY else " or ".join(sorted(types))
