"""The commands of resources, built from the registry in engine/admin: `list`, `show`, and what can be done to a row.

A filter or an action that the registry has is an option or a command here. Other commands of a resource
stand in a file of its own.
"""

from __future__ import annotations

import inspect
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from typer.core import TyperGroup

from engine.cli.options import Csv, Cursor, Data, EventKey, Json, Limit, Number, SendTime, Sort, Uuid, Yes, local
from engine.cli.output import form_of
from engine.cli.rows import Wanted, act, show_list, show_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from engine.admin.actions import Action
    from engine.admin.actions import Command as Named
    from engine.admin.filters import Field
    from engine.admin.resources import Resource

    Command = Callable[..., None]


class LateGroup(TyperGroup):
    """A group whose `build` makes its commands when one is looked for: the registry takes long to import.

    `build` gives them as name, function and help (None: the function's). Commands that are added in the usual way
    come after them.
    """

    def build(self) -> Iterable[tuple[str, Command, str | None]]:
        raise NotImplementedError

    @property
    def commands(self) -> Any:
        """All of them, by name."""
        return self._built | self._own

    @commands.setter
    def commands(self, own: Any) -> None:
        self._own = own

    @cached_property
    def _built(self) -> dict[str, Any]:
        made = typer.Typer(rich_markup_mode=None)
        for name, command, text in self.build():
            made.command(name, help=text)(command)
        return dict(typer.main.get_group(made).commands)


class _ResourceGroup(LateGroup):
    """The commands of the resource that it is named after."""

    def build(self) -> Iterator[tuple[str, Command, str | None]]:
        from engine.admin.resources import RESOURCES

        resource = RESOURCES[str(self.name)]
        yield "list", _list_of(resource), resource.lists
        if resource.shows:
            yield "show", _show_one_of(resource), resource.shows
        for name, actions in _by_command(resource).items():
            yield name, _act_on(resource, actions), actions[0][0].help


def group(resource: str, text: str) -> typer.Typer:
    """The commands of a resource; `text` tells what it is."""
    return typer.Typer(name=resource, help=text, no_args_is_help=True, cls=_ResourceGroup)


def taking(command: Command, parameters: Iterable[inspect.Parameter]) -> Command:
    """The command with these parameters in the place of its `**given`, before its others."""

    @wraps(command)
    def taken(**values: Any) -> None:
        command(**values)

    signature = inspect.signature(command, eval_str=True)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    taken.__signature__ = signature.replace(parameters=[*parameters, *own])  # type: ignore[attr-defined]
    return taken


def option(field: Field) -> inspect.Parameter:
    """The option that narrows a list by this field."""
    return parameter(
        field.name,
        Annotated[
            str | None,
            typer.Option(
                help=f"{field.help[:-1]}: {', '.join(field.choices)}." if field.choices else field.help,
                callback=local if field.is_time else None,
                autocompletion=_completing(field.choices) if field.choices else None,
            ),
        ],
        None,
    )


def parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    """A parameter of a command that is built."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _list_of(resource: Resource) -> Command:
    def command(
        *,
        limit: Limit = None,
        cursor: Cursor = None,
        sort: Sort = None,
        as_json: Json = False,
        as_csv: Csv = False,
        data: Data = None,
        **given: str | None,
    ) -> None:
        show_list(resource, given, Wanted(limit, cursor, form_of(as_json, as_csv), data, sort))

    return taking(command, map(option, resource.fields.values()))


def _show_one_of(resource: Resource) -> Command:
    def command(*, as_json: Json = False, data: Data = None, **given: Any) -> None:
        show_one(resource, given["key"], as_json, data)

    return taking(command, [_key(resource)])


def _by_command(resource: Resource) -> dict[str, list[tuple[Named, Action]]]:
    """What can be done to a row, by the name of the command that does it."""
    from engine.admin.actions import ACTIONS

    found: dict[str, list[tuple[Named, Action]]] = {}
    for action in ACTIONS:
        if action.resource is resource and action.command:
            found.setdefault(action.command.name, []).append((action.command, action))
    return found


def _act_on(resource: Resource, actions: Sequence[tuple[Named, Action]]) -> Command:
    """Do to a row the first of the actions that applies; where they have flags, the one whose flag is given."""
    usual = [action for named, action in actions if not named.flag]
    flagged = {named.flag: (named, action) for named, action in actions if named.flag}

    def command(*, data: Data = None, **given: Any) -> None:
        picked = [action for flag, (_, action) in flagged.items() if given[flag]]
        chosen = picked or usual
        if not chosen or len(picked) > 1:
            raise typer.BadParameter("Give one of them.", param_hint=" ".join(f"--{flag}" for flag in flagged))
        act(chosen, given["key"], data, given.get("time"), yes=given.get("yes", True))

    parameters = [_key(resource)]
    if any(action.takes for _, action in actions):
        parameters.append(parameter("time", SendTime))
    for flag, (named, _) in flagged.items():
        parameters.append(parameter(flag, Annotated[bool, typer.Option(f"--{flag}", help=named.says)], False))
    if any(action.may_ask for _, action in actions):
        parameters.append(parameter("yes", Yes, False))
    return taking(command, parameters)


def _key(resource: Resource) -> inspect.Parameter:
    if resource.key.type.python_type is UUID:
        return parameter("key", Uuid)
    return parameter("key", EventKey if resource.name == "events" else Number)


def _completing(choices: Sequence[str]) -> Callable[[str], list[str]]:
    """What a shell completes a value with."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]
