"""Who else may vouch for people: Google, GitHub, and any OpenID Connect issuer, by settings.

NEXUS_IDENTITY_PROVIDERS='[{"name": "google", "client_id": "…", "client_secret": "…"},
  {"name": "acme", "issuer": "https://id.acme.example", "client_id": "…", "client_secret": "…"}]'
"""

from functools import lru_cache
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, TypeAdapter, ValidationError

GOOGLE = "https://accounts.google.com"
GITHUB = "https://github.com"
_ISSUERS = {"google": GOOGLE, "github": GITHUB}


class Provider(BaseModel):
    """One that may vouch. `issuer` names it for good: with the subject it is who somebody is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    label: str = ""
    issuer: str = ""
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    client_auth: Literal["basic", "post"] | None = Field(None, description="How it takes the secret, if it is picky.")
    scopes: list[str] = Field(default_factory=list)
    api: str = Field(default="https://api.github.com", description="GitHub's API; another for GitHub Enterprise.")

    @property
    def is_github(self) -> bool:
        """GitHub speaks OAuth 2.0 and has no ID token."""
        return self.name == "github"

    @property
    def shown(self) -> str:
        """What a button says."""
        return self.label or self.name.title()


_PROVIDERS: TypeAdapter[list[Provider]] = TypeAdapter(list[Provider])


@lru_cache(maxsize=16)
def read_providers(text: str) -> dict[str, Provider]:
    """The providers a setting names; `ValueError` says what is wrong with it."""
    try:
        listed = _PROVIDERS.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    found: dict[str, Provider] = {}
    for each in listed:
        issuer = (each.issuer or _ISSUERS.get(each.name, "")).rstrip("/")
        place = urlsplit(issuer)
        if place.scheme != "https" and place.hostname not in ("localhost", "127.0.0.1"):
            raise ValueError(f"{each.name}: an issuer begins with https://")
        if each.name in found:
            raise ValueError(f"{each.name}: there are two of them")
        found[each.name] = each.model_copy(update={"issuer": issuer})
    return found


def valid_providers(value: SecretStr | None) -> SecretStr | None:
    """A setting that can be read."""
    if value is not None:
        read_providers(value.get_secret_value())
    return value
