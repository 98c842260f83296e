"""`nexus routes`, `events`, `settings` and `openapi`: what the app is made of. None of them needs the database."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from nexuscore.cli import project
from nexuscore.cli.output import table
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.http import documents
from nexuscore.kernel.http.breaking import breaking, is_same_version
from nexuscore.kernel.http.routes import Admission, Can, Public

commands = typer.Typer(rich_markup_mode=None)


@commands.command()
def routes() -> None:
    """List the operations of the API, each with its permission."""
    table(
        ("method", "path", "permission", "operation"),
        [
            (route.declared.method, route.path, _permission(route.admission), route.operation_id)
            for route in project.load().routes
        ],
    )


def _permission(admission: Admission | None) -> str:
    match admission:
        case Can():
            return admission.name
        case Public():
            return "(everybody)"
        case _:
            return "(signed in)"


@commands.command()
def events(
    schemas: Annotated[bool, typer.Option("--json", help="Print the JSON Schema of each.")] = False,
) -> None:
    """List the events that modules announce."""
    rows = [(event, module.name) for module in project.load().modules for event in module.events]
    if schemas:
        found = {
            event.type: {
                "version": event.version,
                "module": module,
                "subject": event.subject,
                "public": event.public,
                "schema": event.model_json_schema(),
            }
            for event, module in rows
        }
        typer.echo(json.dumps(found, indent=2))
        return
    table(
        ("type", "version", "module", "subject", "public", "fields"),
        [
            (event.type, event.version, module, event.subject, "yes" if event.public else "no", _fields(event))
            for event, module in rows
        ],
    )


def _fields(event: Any) -> str:
    fields: dict[str, FieldInfo] = event.model_fields
    return ", ".join(f"{name}: {_type(field.annotation)}" for name, field in fields.items())


def _type(annotation: Any) -> str:
    return annotation.__name__ if type(annotation) is type else str(annotation).replace("typing.", "")


@commands.command()
def settings() -> None:
    """List every setting with its value, default, source and meaning.

    Secrets are masked.
    """
    loaded = project.load().settings
    table(
        ("name", "value", "default", "source", "meaning"),
        [(row.name, row.value or "-", row.default or "-", row.source, row.meaning) for row in loaded.rows()],
    )
    for warning in loaded.warnings:
        typer.echo(f"warning: {warning}", err=True)


@commands.command()
def openapi(
    output: Annotated[Path | None, typer.Option(help="The file to write; without it, standard output.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the file instead; what would break its clients is a failure.")
    ] = False,
) -> None:
    """Print the OpenAPI document, or compare it with an earlier one.

    With --check: whether clients of the earlier one can go on. It is the file of --output; without it,
    docs/openapi/v1.json.
    """
    document = project.load().openapi
    text = documents.as_text(document)
    if check:
        _compare(document, text, output or Path("docs/openapi/v1.json"))
    elif output is None:
        typer.echo(text, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")


def _compare(document: dict[str, Any], text: str, kept: Path) -> None:
    before = kept.read_text(encoding="utf-8")
    if before == text:
        typer.echo(f"{kept} is the document of this app.")
        return
    earlier = json.loads(before)
    found = breaking(earlier, document)
    typer.echo("".join(f"breaks: {each}\n" for each in found), nl=False)
    if found and is_same_version(earlier, document):
        raise ConfigurationError(
            f"Clients of {kept} would break, and its version is still {document['info']['version']}."
            " Keep what they use, or serve it as another version: NEXUS_API_VERSION."
        )
    typer.echo(f"{kept} is older than the app. Write it again: nexus openapi --output {kept}")
