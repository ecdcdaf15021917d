"""The part Templates of the API; `make clients` writes this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varsel.client.calls import Call, headers_of, json_of, path_of, query_of
from varsel.client.resources import AsyncResource, Resource

if TYPE_CHECKING:
    from varsel.client.generated import models


def put_templates_name(
    name: str, body: models.TemplateRequest, *, waiting: bool | None = None
) -> Call[models.TemplateShapesTemplate]:
    """PUT /notifications/api/v1/templates/{name}"""
    return Call(
        "PUT",
        path_of("/notifications/api/v1/templates/{name}", name=name),
        query_of({"waiting": waiting}),
        headers_of({"Content-Type": "application/json"}),
        content=json_of(body),
        repeatable=True,
    )


def get_templates_name(name: str, *, version: int | None = None) -> Call[models.TemplateShapesTemplate]:
    """GET /notifications/api/v1/templates/{name}"""
    return Call(
        "GET",
        path_of("/notifications/api/v1/templates/{name}", name=name),
        query_of({"version": version}),
        {},
        repeatable=True,
    )


def delete_templates_name(name: str) -> Call[None]:
    """DELETE /notifications/api/v1/templates/{name}"""
    return Call("DELETE", path_of("/notifications/api/v1/templates/{name}", name=name), (), {}, repeatable=True)


def get_templates() -> Call[models.TemplateList]:
    """GET /notifications/api/v1/templates"""
    return Call("GET", "/notifications/api/v1/templates", (), {}, repeatable=True)


def post_templates_name_preview(name: str, body: models.PreviewRequest) -> Call[models.Preview]:
    """POST /notifications/api/v1/templates/{name}/preview"""
    return Call(
        "POST",
        path_of("/notifications/api/v1/templates/{name}/preview", name=name),
        (),
        headers_of({"Content-Type": "application/json"}),
        content=json_of(body),
    )


class Templates(Resource):
    """The operations of templates."""

    def put(
        self, name: str, body: models.TemplateRequest, *, waiting: bool | None = None
    ) -> models.TemplateShapesTemplate:
        """Store a version of a template.

        A version never changes, and an order keeps the one that it was taken in with. Needs the scope
        `varsel:templates`.
        `name`: a-z, 0-9, _ and -; at most 64
        `waiting`: true: orders that wait with an earlier version get this one
        """
        return self._send(put_templates_name(name, body, waiting=waiting))

    def get(self, name: str, *, version: int | None = None) -> models.TemplateShapesTemplate:
        """A template.

        The newest version, or another one. Needs the scope `varsel:templates`.
        `name`: a-z, 0-9, _ and -; at most 64
        `version`: default: the newest
        """
        return self._send(get_templates_name(name, version=version))

    def delete(self, name: str) -> None:
        """Delete a template.

        No new order can name it; orders that wait keep theirs. Needs the scope `varsel:templates`.
        `name`: a-z, 0-9, _ and -; at most 64
        """
        return self._send(delete_templates_name(name))

    def list(self) -> models.TemplateList:
        """Your templates.

        And those of the installation. Needs the scope `varsel:templates`.
        """
        return self._send(get_templates())

    def preview(self, name: str, body: models.PreviewRequest) -> models.Preview:
        """Preview a template.

        What an e-mail would say with these values; nothing is sent. Needs the scope `varsel:templates`.
        `name`: a-z, 0-9, _ and -; at most 64
        """
        return self._send(post_templates_name_preview(name, body))


class AsyncTemplates(AsyncResource):
    """The operations of templates, with `await`."""

    async def put(
        self, name: str, body: models.TemplateRequest, *, waiting: bool | None = None
    ) -> models.TemplateShapesTemplate:
        """Store a version of a template.

        A version never changes, and an order keeps the one that it was taken in with. Needs the scope
        `varsel:templates`.
        `name`: a-z, 0-9, _ and -; at most 64
        `waiting`: true: orders that wait with an earlier version get this one
        """
        return await self._send(put_templates_name(name, body, waiting=waiting))

    async def get(self, name: str, *, version: int | None = None) -> models.TemplateShapesTemplate:
        """A template.

        The newest version, or another one. Needs the scope `varsel:templates`.
        `name`: a-z, 0-9, _ and -; at most 64
        `version`: default: the newest
        """
        return await self._send(get_templates_name(name, version=version))

    async def delete(self, name: str) -> None:
        """Delete a template.

        No new order can name it; orders that wait keep theirs. Needs the scope `varsel:templates`.
        `name`: a-z, 0-9, _ and -; at most 64
        """
        return await self._send(delete_templates_name(name))

    async def list(self) -> models.TemplateList:
        """Your templates.

        And those of the installation. Needs the scope `varsel:templates`.
        """
        return await self._send(get_templates())

    async def preview(self, name: str, body: models.PreviewRequest) -> models.Preview:
        """Preview a template.

        What an e-mail would say with these values; nothing is sent. Needs the scope `varsel:templates`.
        `name`: a-z, 0-9, _ and -; at most 64
        """
        return await self._send(post_templates_name_preview(name, body))
