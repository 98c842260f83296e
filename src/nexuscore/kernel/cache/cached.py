"""`@cached`: a verb whose answer is kept. And forgetting, which waits for the commit."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from enum import Enum
from string import Formatter
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, get_type_hints
from urllib.parse import quote
from uuid import UUID

from pydantic import TypeAdapter

from nexuscore.kernel.cache.shared import News, Packed
from nexuscore.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from nexuscore.kernel.cache.store import Cache, Ttl
    from nexuscore.kernel.ctx import Ctx

P = ParamSpec("P")
T = TypeVar("T")
Verb = Callable[Concatenate["Ctx", P], Awaitable[T]]
_templates: dict[str, str] = {}


def cached(
    key: str, ttl: "Ttl", *, tags: Sequence[str] = (), everybodys: bool = False, early: float = 1.0, alone: bool = False
) -> Callable[[Verb[P, T]], "Cached[P, T]"]:
    """Keep what a verb answers, per organisation, under a key made of its arguments: "prices:{country}:{plan.id}".

    Every argument must be in the key. `everybodys` is for what belongs to no organisation: the verb then sees no rows
    of any. What a verb answers must depend on nothing else, not on who asks either. See `Cache.remember` for the rest.
    """

    def keep(verb: Verb[P, T]) -> Cached[P, T]:
        return Cached(verb, key, ttl, tags, everybodys=everybodys, early=early, alone=alone)

    return keep


class Cached(Generic[P, T]):
    """A verb whose answers are kept. Called as it was before; `forget` and `forget_all` take effect with the commit."""

    def __init__(
        self,
        verb: Verb[P, T],
        key: str,
        ttl: "Ttl",
        tags: Sequence[str],
        *,
        everybodys: bool,
        early: float,
        alone: bool,
    ) -> None:
        self._verb = verb
        self.__doc__ = verb.__doc__
        self.__name__ = verb.__name__
        parameters = list(inspect.signature(verb).parameters.values())[1:]
        self._names = [each.name for each in parameters]
        self._defaults = {each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty}
        self._key = _template(key)
        self._tags = [_template(tag) for tag in tags]
        self._first = key.partition(":")[0]
        self._ttl, self._everybodys, self._early, self._alone = ttl, everybodys, early, alone
        self._answer: TypeAdapter[T] = TypeAdapter(get_type_hints(verb)["return"])
        _refuse(_faults(verb, key, self._key, self._tags, self._names))

    async def __call__(self, ctx: "Ctx", *args: P.args, **kwargs: P.kwargs) -> T:
        db = ctx.db
        if db.scope.across or db.forgets or db.lagging:  # it may see what others must not, not yet, or no more
            return await self._verb(ctx, *args, **kwargs)

        async def make() -> Packed:
            if self._everybodys and ctx.org is not None:
                async with ctx.in_no_org() as nobodys:
                    return self._answer.dump_json(await self._verb(nobodys, *args, **kwargs)).decode()
            return self._answer.dump_json(await self._verb(ctx, *args, **kwargs)).decode()

        given = self._given(args, kwargs)
        packed = await self._part(ctx).remember_packed(
            _filled(self._key, given),
            self._ttl,
            make,
            tags=[_filled(tag, given) for tag in self._tags],
            early=self._early,
            alone=self._alone,
        )
        return self._answer.validate_json(packed)

    def forget(self, ctx: "Ctx", *args: P.args, **kwargs: P.kwargs) -> None:
        """Forget the answer to these arguments, in every process, once this transaction is committed."""
        forget(ctx, _filled(self._key, self._given(args, kwargs)), everybodys=self._everybodys)

    def forget_all(self, ctx: "Ctx") -> None:
        """Forget every answer of this organisation, and of all verbs whose keys begin with the same word."""
        forget(ctx, f"{self._first}:*", everybodys=self._everybodys)

    def _part(self, ctx: "Ctx") -> "Cache":
        return ctx.app.cache if self._everybodys or ctx.org is None else ctx.app.cache.scoped(ctx.org)

    def _given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        return {**self._defaults, **dict(zip(self._names, args, strict=False)), **kwargs}


def forget(ctx: "Ctx", key: str, *, everybodys: bool = False) -> None:
    """Forget a key, or those that match a pattern ("fees:*"), of the organisation: everywhere, with the commit."""
    kind = "match" if any(sign in key for sign in "*?[") else "key"
    _after_commit(ctx, kind, key, everybodys=everybodys)


def forget_tag(ctx: "Ctx", tag: str, *, everybodys: bool = False) -> None:
    """Forget what the organisation keeps under a tag: everywhere, with the commit."""
    _after_commit(ctx, "tag", tag, everybodys=everybodys)


def _after_commit(ctx: "Ctx", kind: Any, name: str, *, everybodys: bool) -> None:
    scope = "" if everybodys or ctx.org is None else f"org:{ctx.org}"
    news, cache = News(kind, scope, name), ctx.app.cache
    ctx.db.after_commit(lambda: cache.forget_now(news))


Part = tuple[str, tuple[str, ...]]  # text, and behind it the argument and its attributes


def _template(text: str) -> list[Part]:
    return [(literal, tuple((field or "").split("."))) for literal, field, _, _ in Formatter().parse(text)]


def _filled(template: list[Part], given: dict[str, Any]) -> str:
    said = []
    for literal, (name, *attributes) in template:
        said.append(literal)
        if name:
            value = given[name]
            for attribute in attributes:
                value = getattr(value, attribute)
            said.append(_word(value))
    return "".join(said)


def _word(value: object) -> str:
    """A value as one part of a key. What could be taken for another value, or for several, is escaped."""
    match value:
        case str() if not isinstance(value, Enum):
            return quote(value, safe="")
        case None:
            return "!"
        case bool():
            return f"!{value}"
        case Enum():
            return _word(value.value)
        case int() | UUID():
            return str(value)
        case datetime() | date():
            return quote(value.isoformat(), safe="")
        case _:
            raise TypeError(f"{type(value).__name__} cannot be part of a key: name what of it counts, as {{it.id}}")


def _faults(verb: Any, key: str, template: list[Part], tags: list[list[Part]], names: list[str]) -> list[str]:
    """What would make two answers share a key, or a key miss its argument."""
    used = {part[0] for _, part in template if part[0]}
    asked = used | {part[0] for tag in tags for _, part in tag if part[0]}
    left_out = [name for name in names if name not in used]
    faults = [f"{name!r} is not in the key, so other values of it would get the same answer" for name in left_out]
    faults += [f"{name!r} is in the key, but no argument" for name in sorted(asked - set(names))]
    if ":" not in template[0][0]:
        faults.append("the key must begin with a word of its own and a colon")
    where = f"{verb.__module__}.{verb.__qualname__}"
    if _templates.setdefault(key, where) != where:
        faults.append(f"{_templates[key]} has the same key")
    return [f"@cached({key!r}) of {where}: {fault}" for fault in faults]


def _refuse(faults: list[str]) -> None:
    if faults:
        raise ConfigurationError("\n".join(faults))
