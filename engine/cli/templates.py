"""`varsel templates`: those of all creators and of the installation, their versions, and what they would say."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.installation import reading
from engine.cli.options import Csv, Data, Json
from engine.cli.output import form_of, print_json, print_one, print_rows
from engine.cli.text import plain
from engine.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.templating.own import Own
    from engine.templating.registry import TemplateVersion
    from engine.templating.renderer import Rendered

GROUP = typer.Typer(name="templates", help="Templates of e-mails.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The template's name.", show_default=False)]
Creator = Annotated[str, typer.Option(help="Whose it is, such as ttd.", show_default="the installation's own")]
Version = Annotated[int | None, typer.Option(min=1, help="Which one.", show_default="the newest")]


@GROUP.command("list")
def list_(
    creator: Annotated[str | None, typer.Option(help="Whose, such as ttd.", show_default="everybody's")] = None,
    as_json: Json = False,
    as_csv: Csv = False,
    data: Data = None,
) -> None:
    """Print the newest version of each template, by creator and name.

    Those of the installation, which anybody may name, have no creator.
    """
    from engine.admin.templates import listed

    with reading(data) as connection:
        found = [each for each in listed(connection, _own()) if creator in (None, each["creator"])]
    print_rows(form_of(as_json, as_csv), "templates", found, none="There is none.")


@GROUP.command()
def show(name: Name, creator: Creator = "", version: Version = None, as_json: Json = False, data: Data = None) -> None:
    """Print a version with its texts and its schema."""
    from engine.admin.templates import one

    with reading(data) as connection:
        found = one(connection, _own(), creator, name, version)
    its, content = found["version"], found["content"]
    item = {"name": its.name, "creator": its.creator, "version": its.version, "created": _stored(its)}
    item |= {"locale": content.locale, "locales": [*content.locales], "parts": [*content.parts]}
    texts = {"": content.usual, **{f"_{locale}": each for locale, each in content.locales.items()}}
    item |= {
        f"{kind}{place}": text
        for place, each in texts.items()
        for kind, text in asdict(each).items()
        if text is not None
    }
    item["schema"] = content.schema
    print_json(item) if as_json else print_one(item)


@GROUP.command()
def versions(name: Name, creator: Creator = "", as_json: Json = False, as_csv: Csv = False, data: Data = None) -> None:
    """Print the versions of a template, the newest first."""
    from engine.admin.templates import one

    with reading(data) as connection:
        found = one(connection, _own(), creator, name, None)
    rows = [asdict(each) for each in found["versions"]]
    rows = rows or [{"name": name, "version": None, "created": None}]  # of the installation: as it is now
    print_rows(form_of(as_json, as_csv), "versions", rows)


@GROUP.command()
def preview(
    name: Name,
    creator: Creator = "",
    version: Version = None,
    values: Annotated[
        str | None, typer.Option(help="A JSON object.", show_default="examples, by the template's schema")
    ] = None,
    locale: Annotated[str | None, typer.Option(help="Such as nb.", show_default="the template's")] = None,
    html: Annotated[bool, typer.Option("--html", help="Print the HTML alone.")] = False,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Print the subject and the text of an e-mail with these values."""
    from engine.admin.templates import version as find
    from engine.email.plain_text import readable
    from engine.templating.content import Content
    from engine.templating.examples import example
    from engine.templating.schema import check

    with reading(data) as connection:
        found = find(connection, _own(), creator, name, version)
    schema = Content.of(found.content).schema
    given = example(schema) if values is None else _object(values)
    check(schema, given, "values.")
    said = asyncio.run(_rendered(found, given, locale))
    text = said.text if said.text is not None else readable(said.html or "")
    if as_json:
        return print_json({**asdict(said), "text": text})
    if html:
        return typer.echo(said.html or "")
    typer.echo(plain(said.subject or "(a part: it has no subject)"))
    typer.echo()
    for line in text.splitlines():
        typer.echo(plain(line))
    return None


async def _rendered(version: TemplateVersion, values: Mapping[str, Any], locale: str | None) -> Rendered:
    from engine.templating.content import Content
    from engine.templating.renderer import Renderer

    async def load() -> Content:
        return Content.of(version.content)

    renderer = Renderer()
    try:
        return await renderer.render("operators", version.id, load, values, locale)
    finally:
        await renderer.close()


def _object(text: str) -> dict[str, Any]:
    """Values as they were typed; Invalid."""
    from pydantic_core import from_json

    try:
        values = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise Invalid({"values": [f"This is not valid JSON: {error}."]}) from None
    if not isinstance(values, dict):
        raise Invalid({"values": ["The values are a JSON object."]})
    return values


def _own() -> Own:
    from engine import settings
    from engine.templating.own import Own

    config = settings.load()
    folder: Path | None = config.email_templates
    with settings.naming("email_templates"):
        return Own(folder)


def _stored(version: TemplateVersion) -> object:
    return version.created if version.version else None
