"""The OpenAPI document and the page that explains it, on a small example of operations."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from html import unescape
from types import SimpleNamespace
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, RootModel
from starlette.applications import Starlette
from starlette.responses import Response as HTTPResponse

from api import docs
from api.app import OPERATIONS as SERVED
from api.openapi import Operation, Parameter, Response, document
from api.problems import Problem

SERVER = "http://127.0.0.1:5090"
EXAMPLE = {"name": "Kari's <kitten>", "legs": 4}


class Tail(BaseModel):
    length: float = Field(gt=0, lt=50.5)


class Toy(BaseModel):
    squeaks: bool


class Kitten(BaseModel):
    """A small cat."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=40, description="what it is called in `public`")
    legs: int = Field(4, ge=0, le=4)
    nickname: str | None = Field(None, pattern="^[a-z]+$")
    tails: list[Tail] = Field(default_factory=list, max_length=2)
    mother: Kitten | None = None
    toys: list[Toy | None] | None = None


class Receipt(BaseModel):
    id: str


class Litter(RootModel[list[Kitten]]):
    """A list of kittens."""


async def adopt(_request: Any) -> HTTPResponse:
    return HTTPResponse()


PLACE = Parameter("place", "path", "where it lives", required=True)
OPERATIONS = (
    Operation(
        method="POST",
        path="/zoo/api/v1/kittens",
        handler=adopt,
        summary="Adopt a kitten",
        description="Takes `one` <b>kitten</b> in.",
        tag="Kittens",
        request=Kitten,
        example=EXAMPLE,
        aliases=("/zoo/api/v1/kitten",),
        responses={201: Response("Adopted.", Receipt), 400: Response("No kitten.", Problem), 401: Response("Who?")},
    ),
    Operation(
        method="GET",
        path="/zoo/api/v1/places/{place}",
        handler=adopt,
        summary="A place",
        description="All about it.",
        tag="Places",
        parameters=(
            PLACE,
            Parameter("since", "query", "from when on", required=True, schema={"type": "string", "format": "date"}),
            Parameter("X-Mood", "header", "how it should be told", schema={"enum": ["gay", "grave"]}, example="gay"),
        ),
        responses={200: Response("The place.", Kitten)},
    ),
    Operation(
        method="PUT",
        path="/zoo/api/v1/places/{place}",
        handler=adopt,
        summary="Change a place",
        description="Without an example.",
        tag="Places",
        parameters=(PLACE,),
        request=Tail,
        media={"application/litter+json": Litter},
        credentials=("bearer", "platform"),
        responses={200: Response("Who lives there now.", Litter, "application/litter+json", {"next": "who is `next`"})},
    ),
    Operation(
        method="DELETE",
        path="/zoo/api/v1/kittens",
        handler=adopt,
        summary="Set all free",
        description="Back to the woods.",
        tag="Kittens",
        responses={204: Response("Gone.")},
    ),
)


def described() -> dict[str, Any]:
    return document(OPERATIONS, server=SERVER, version="1.2.3")


def get(path: str) -> httpx.Response:
    async def run() -> httpx.Response:
        app = Starlette(routes=docs.ROUTES)
        app.state.operations = OPERATIONS
        app.state.settings = SimpleNamespace(base_url=SERVER)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=SERVER) as client:
            return (await client.get(path)).raise_for_status()

    return asyncio.run(run())


def section(page: str, operation: str) -> str:
    """The part of the page about one operation."""
    return page.split(f'<section class="operation" id="{operation}">')[1].split("</section>", maxsplit=1)[0]


def rows(html: str) -> list[list[str]]:
    """The text of the cells of all tables."""

    def text(cell: str) -> str:
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split())

    found = re.findall(r"(?s)<tr>(.*?)</tr>", html)
    return [[text(cell) for cell in re.findall(r"(?s)<td[^>]*>(.*?)</td>", row)] for row in found]


def test_the_document_is_valid_openapi() -> None:
    import schemathesis  # noqa: PLC0415 which takes a second, in every process of the tests if it stood above

    schema = schemathesis.openapi.from_dict(described())
    schema.validate()
    assert schema.specification.version == "3.1.0"
    assert schema.statistic.operations.total == len(OPERATIONS)
    assert set(described()["paths"]) == {
        "/zoo/api/v1/kittens",
        "/zoo/api/v1/places/{place}",
    }  # the alias is served, not described


def test_every_reference_leads_to_a_schema() -> None:
    text = json.dumps(described())
    names = set(re.findall(r'"\$ref": "([^"]+)"', text))
    assert names == {f"#/components/schemas/{name}" for name in described()["components"]["schemas"]}


def test_operations_have_ids_of_their_own_though_they_share_a_handler() -> None:
    ids = [operation["operationId"] for methods in described()["paths"].values() for operation in methods.values()]
    assert ids == ["post_kittens", "delete_kittens", "get_places_place", "put_places_place"]


def test_a_request_is_described_by_its_model_and_example() -> None:
    body = described()["paths"]["/zoo/api/v1/kittens"]["post"]["requestBody"]
    content = {"schema": {"$ref": "#/components/schemas/Kitten"}, "example": EXAMPLE}
    assert body == {"required": True, "content": {"application/json": content}}
    name = described()["components"]["schemas"]["Kitten"]["properties"]["name"]
    assert (name["minLength"], name["maxLength"]) == (1, 40)


def test_a_request_may_have_several_media_types() -> None:
    content = described()["paths"]["/zoo/api/v1/places/{place}"]["put"]["requestBody"]["content"]
    assert content == {
        "application/json": {"schema": {"$ref": "#/components/schemas/Tail"}},
        "application/litter+json": {"schema": {"$ref": "#/components/schemas/Litter"}},
    }


def test_answers_have_their_media_type_or_no_body() -> None:
    responses = described()["paths"]["/zoo/api/v1/kittens"]["post"]["responses"]
    assert list(responses) == ["201", "400", "401"]
    assert list(responses["201"]["content"]) == ["application/json"]
    assert list(responses["400"]["content"]) == ["application/problem+json"]
    assert responses["401"] == {"description": "Who?"}


def test_an_answer_may_have_a_media_type_of_its_own_and_headers() -> None:
    answer = described()["paths"]["/zoo/api/v1/places/{place}"]["put"]["responses"]["200"]
    assert answer["content"] == {"application/litter+json": {"schema": {"$ref": "#/components/schemas/Litter"}}}
    assert answer["headers"] == {"next": {"description": "who is `next`", "schema": {"type": "string"}}}


def test_parameters_are_described() -> None:
    place, since, mood = described()["paths"]["/zoo/api/v1/places/{place}"]["get"]["parameters"]
    assert place == {
        "name": "place",
        "in": "path",
        "description": "where it lives",
        "required": True,
        "schema": {"type": "string"},
    }
    assert since["schema"] == {"type": "string", "format": "date"}
    assert (mood["in"], mood["required"], mood["example"]) == ("header", False, "gay")


def test_both_credentials_are_described() -> None:
    found = described()
    schemes = found["components"]["securitySchemes"]
    assert (schemes["bearer"]["scheme"], schemes["platform"]["name"]) == ("bearer", "PlatformAccessToken")
    assert found["security"] == [{"bearer": []}, {"platform": []}]  # one of them is enough
    place = found["paths"]["/zoo/api/v1/places/{place}"]
    assert place["put"]["security"] == [{"bearer": [], "platform": []}]  # here, both are needed
    assert "security" not in place["get"]


def test_what_is_served_has_ids_of_its_own() -> None:
    paths = document(SERVED, server=SERVER, version="1.2.3")["paths"]
    ids = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(ids) == len(set(ids)) == len(SERVED)
    assert {"post_orders_email", "post_app", "post_events", "get_events", "get_app_org_app"} <= set(ids)


def test_the_document_is_served_for_programs() -> None:
    answer = get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()["paths"]) == {"/zoo/api/v1/kittens", "/zoo/api/v1/places/{place}"}
    assert answer.json()["servers"] == [{"url": SERVER}]


def test_the_page_shows_operations_by_tag() -> None:
    page = get("/docs").text
    main = page.split("<main")[1]
    assert [re.sub("<[^>]+>", "", tag) for tag in re.findall("<h[23][^>]*>.*?</h[23]>", main)] == [
        "Who may call",
        "Kittens",
        "Adopt a kitten",
        "Set all free",
        "Places",
        "A place",
        "Change a place",
    ]
    links, targets = set(re.findall('href="#([^"]+)"', page)), set(re.findall(' id="([^"]+)"', page))
    assert links == targets


def test_the_page_shows_a_body_with_types_and_bounds() -> None:
    found = rows(section(get("/docs").text, "post_kittens"))
    assert [
        "name required",
        "string",
        "what it is called in public at least 1 characters; at most 40 characters",
    ] in found
    assert ["legs", "integer", "at least 0; at most 4; default 4"] in found
    assert ["nickname", "string", "matches ^[a-z]+$"] in found
    assert ["tails", "list of objects", "at most 2 entries"] in found
    assert ["tails[].length required", "number", "more than 0; less than 50.5"] in found
    assert ["toys[].squeaks required", "boolean", ""] in found
    assert ["mother", "object", ""] in found
    assert not any(row[0].startswith("mother.") for row in found if row)  # a kitten within a kitten, without end


def test_the_page_shows_parameters() -> None:
    found = rows(section(get("/docs").text, "get_places_place"))
    assert ["place required", "path", "string", "where it lives"] in found
    assert ["since required", "query", "date", "from when on"] in found
    assert ["X-Mood", "header", "gay | grave", "how it should be told"] in found


def test_the_page_shows_answers_and_what_is_in_them() -> None:
    found = section(get("/docs").text, "post_kittens").split("Answers")[1]
    assert re.findall(r'<td class="status[^>]*>(\d+)</td>', found) == ["201", "400", "401"]
    assert "<summary>Adopted.</summary>" in found
    assert ["id required", "string", ""] in rows(found.split("<summary>Adopted.</summary>")[1])
    assert ["401", "Who?"] in rows(found)
    headers = section(get("/docs").text, "put_places_place").split("Answers")[1]
    assert ["200", "next : who is next Who lives there now."] in rows(headers)


def test_the_commands_of_the_page_can_be_pasted() -> None:
    page = get("/docs").text

    def command(operation: str) -> list[str]:
        [text] = re.findall(r"(?s)<pre>(curl.*?)</pre>", section(page, operation))
        return shlex.split(unescape(text).replace("\\\n", " "))

    assert command("post_kittens")[:-1] == [
        *("curl", "-X", "POST", f"{SERVER}/zoo/api/v1/kittens"),
        *("-H", "Authorization: Bearer $TOKEN"),
        *("-H", "Content-Type: application/json"),
        "-d",
    ]
    assert json.loads(command("post_kittens")[-1]) == EXAMPLE
    assert command("get_places_place")[3].endswith("/places/{place}?since={since}")
    assert command("get_places_place")[-2:] == ["-H", "X-Mood: gay"]
    assert command("put_places_place")[4:] == [
        *("-H", "Authorization: Bearer $TOKEN"),
        *("-H", "PlatformAccessToken: $PLATFORM_TOKEN"),
        *("-H", "Content-Type: application/json"),
        *("-d", "@body.json"),
    ]


def test_the_page_is_escaped_and_its_marked_words_are_code() -> None:
    page = get("/docs").text
    assert "Takes <code>one</code> &lt;b&gt;kitten&lt;/b&gt; in." in page
    assert "<kitten>" not in page


def test_the_page_needs_nothing_from_elsewhere_and_no_script() -> None:
    answer = get("/docs")
    assert not re.search(r"<(script|link|img|iframe|object)|@import|url\(|\bsrc=|\bon\w+=", answer.text)
    policy = answer.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert not any(directive.startswith(("script-src", "img-src", "connect-src")) for directive in policy)
