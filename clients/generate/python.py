"""The Python client's generated modules: models, the operations of each part, and what holds the parts together."""

from __future__ import annotations

import json
import keyword
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent, wrap
from typing import TYPE_CHECKING

from clients.generate.names import BASES, snake
from clients.generate.types import KEY, Basic, Either, ListOf, MapOf, Named, OneOf, Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clients.generate.types import Api, Body, Member, Model, Operation, Parameter

HEAD = '"""{}; `make clients` writes this file."""\n'
BASICS = {
    Basic.STRING: "str",
    Basic.INTEGER: "int",
    Basic.NUMBER: "float",
    Basic.BOOLEAN: "bool",
    Basic.NULL: "None",
    Basic.TIME: "datetime | str",
    Basic.ANYTHING: "object",
}
SEQUENCE = "Sequence"
WIDTH = 105
IMPORTS = """
from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NotRequired, TypeAlias, TypedDict
"""


def modules(api: Api) -> Mapping[str, str]:
    """The text of each file, by its path below the package."""
    found = {
        "__init__.py": HEAD.format("What follows from /openapi.json"),
        "version.py": HEAD.format("The version of the client, and of its Varsel") + f'\nVERSION = "{api.version}"\n',
        "models.py": _models(api),
        "parts.py": _parts(api),
    }
    for part in api.parts:
        found[f"{snake(part)}.py"] = _part(part, [each for each in api.operations if each.part == part])
    return _formatted(found)


def _formatted(files: Mapping[str, str]) -> Mapping[str, str]:
    """In the house format."""
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        ruff = Path(sys.executable).with_name("ruff")
        command = [str(ruff), "format", "--quiet", "--isolated", "--line-length", "120", folder]
        subprocess.run(command, check=True)  # noqa: S603 our own text
        return {name: (Path(folder) / name).read_text() for name in files}


def _models(api: Api) -> str:
    models = sorted(api.models, key=lambda model: model.name)
    names = ", ".join(json.dumps(model.name) for model in models)
    return "\n\n".join(
        [HEAD.format("The types of bodies and answers") + IMPORTS, *map(_model, models), f"__all__ = [{names}]\n"]
    )


def _model(model: Model) -> str:
    if model.alias is not None:
        return (
            f"{model.name}: TypeAlias = {_quoted(_words(model.alias, entries=_entries(model)))}\n{_doc(model.text)}\n"
        )
    if any(keyword.iskeyword(member.name) or not member.name.isidentifier() for member in model.members):
        members = ", ".join(f"{json.dumps(each.name)}: {_quoted(_marked(model, each))}" for each in model.members)
        return f"{model.name} = TypedDict({json.dumps(model.name)}, {{{members}}})\n{_doc(model.text)}\n"
    lines = [_doc(model.text or model.name)]
    for member in model.members:
        lines.append(f"{member.name}: {_marked(model, member)}")
        lines += [_doc(member.text)] if member.text else []
    return f"class {model.name}(TypedDict):\n" + indent("\n".join(lines), "    ") + "\n"


def _marked(model: Model, member: Member) -> str:
    words = _words(member.type, entries=_entries(model))
    return words if member.required else f"NotRequired[{words}]"


def _entries(model: Model) -> str:
    return SEQUENCE if model.is_taken else "list"


def _quoted(words: str) -> str:
    """A type that is looked at when somebody asks."""
    return f"'{words}'"


def _parts(api: Api) -> str:
    """What a client has: an attribute for each part."""
    lines = [HEAD.format("The parts of the API, as attributes of a client"), "from __future__ import annotations\n"]
    lines.append("from typing import TYPE_CHECKING\n")
    lines += [f"from varsel.client.generated.{snake(part)} import Async{part}, {part}" for part in sorted(api.parts)]
    lines.append("\nif TYPE_CHECKING:\n    from varsel.client.connections import AsyncConnection, Connection\n\n")
    for kind in ("", "Async"):
        lines += [f"class {kind}Parts:", f"    {_doc('Each part by its name.')}\n"]
        lines.append(f"    def __init__(self, connection: {kind}Connection) -> None:")
        lines += [f"        self.{snake(part)} = {kind}{part}(connection)" for part in api.parts] + ["\n"]
    return "\n".join(lines)


def _part(part: str, operations: Sequence[Operation]) -> str:
    used = sorted({name for each in operations for name in _helpers(each)})
    home, base = BASES.get(part, ("resources", "Resource"))
    has_pages = any(each.paging for each in operations)
    lines = [
        HEAD.format(f"The part {part} of the API"),
        "from __future__ import annotations\n",
        f"from typing import TYPE_CHECKING{', cast' if has_pages else ''}\n",
        f"from varsel.client.calls import {', '.join(used)}",
        f"from varsel.client.{home} import Async{base}, {base}\n",
        "if TYPE_CHECKING:",
        *(f"    from {module} import {', '.join(names)}" for module, names in _annotations(operations)),
        "\n    from varsel.client.generated import models\n\n",
        *map(_call, operations),
        f"class {part}({base}):\n    {_doc(f'The operations of {snake(part)}.')}\n",
        *(_method(each, "") for each in operations),
        f"class Async{part}(Async{base}):\n    {_doc(f'The operations of {snake(part)}, with `await`.')}\n",
        *(_method(each, "async ") for each in operations),
    ]
    return "\n".join(lines)


def _annotations(operations: Sequence[Operation]) -> Iterable[tuple[str, Sequence[str]]]:
    """The modules that annotations need, with their names."""
    text = " ".join(_declared(each) for each in operations)
    pages = ["AsyncIterator", "Iterator"] if any(each.paging for each in operations) else []
    used = [*pages, *(["Sequence"] if SEQUENCE in text else [])]
    yield from [("collections.abc", used)] if used else []
    yield from [("datetime", ["datetime"])] if "datetime" in text else []
    yield from [("typing", ["Literal"])] if "Literal[" in text else []


def _helpers(operation: Operation) -> Iterable[str]:
    """What the call of an operation needs."""
    yield "Call"
    for place, name in (("path", "path_of"), ("query", "query_of"), ("header", "headers_of")):
        if operation.placed(place):
            yield name
    if operation.body is not None:
        yield "headers_of"
        yield from ("json_of",) if operation.body.type is not None else ()
        yield from ("named",) if operation.body.is_named else ()
    if operation.makes_key:
        yield "new_key"
    if operation.paging:
        yield "Numbered" if operation.paging.is_numbered else "Linked"


def _call(operation: Operation) -> str:
    """The function that makes a request's value."""
    made = [json.dumps(operation.verb), _path(operation)]
    if query := operation.placed("query"):
        made.append(f"query_of({{{', '.join(f'{json.dumps(each.name)}: {_argument(each)}' for each in query)}}})")
    else:
        made.append("()")
    made.append(_headers(operation))
    if operation.body is not None:
        its = "named(body)" if operation.body.is_named else "body"
        made.append(f"content=json_of({its})" if operation.body.type is not None else "content=body")
    made += ["repeatable=True"] if operation.is_repeatable else []
    made += ["keyed=True"] if operation.makes_key else []
    if paging := operation.paging:
        kind = "Numbered" if paging.is_numbered else "Linked"
        made.append(f"pages={kind}({json.dumps(paging.member) if paging.member else ''})")
    result = _answer(operation)
    body = f"    {_doc(f'{operation.verb} {operation.path}')}\n    return Call({', '.join(made)})\n"
    return f"def {operation.id}({_declared(operation)}) -> Call[{result}]:\n{body}\n"


def _path(operation: Operation) -> str:
    names = ", ".join(f"{each.name}={_argument(each)}" for each in operation.placed("path"))
    return f"path_of({json.dumps(operation.path)}, {names})" if names else json.dumps(operation.path)


def _headers(operation: Operation) -> str:
    entries = [
        f"{json.dumps(each.name)}: new_key({_argument(each)})"
        if each.name == KEY and operation.makes_key
        else f"{json.dumps(each.name)}: {_argument(each)}"
        for each in operation.placed("header")
    ]
    if body := operation.body:
        entries.append(f'"Content-Type": {_media(body)}')
    return f"headers_of({{{', '.join(entries)}}})" if entries else "{}"


def _media(body: Body) -> str:
    """Which of the media types it is: a list is a batch."""
    if body.type is None:
        return "media"
    if len(body.media) == 1:
        return json.dumps(body.media[0])
    one, batch = body.media
    return f"{json.dumps(one)} if isinstance(body, dict) else {json.dumps(batch)}"


def _declared(operation: Operation) -> str:
    """The parameters of a function."""
    positional = [f"{_argument(each)}: {_words(each.type)}" for each in operation.placed("path")]
    if body := operation.body:
        positional.append(f"body: {'bytes' if body.type is None else _words(body.type, 'models.')}")
    named = [
        f"{_argument(each)}: {_words(each.type, entries=SEQUENCE)}" + ("" if each.required else " | None = None")
        for each in (*operation.placed("query"), *operation.placed("header"))
    ]
    if body and body.type is None:
        named.append(f"media: {_words(OneOf(body.media))} = {json.dumps(body.media[0])}")
    return ", ".join([*positional, *(["*", *named] if named else [])])


def _passed(operation: Operation) -> str:
    """The same parameters, handed on."""
    positional = [_argument(each) for each in operation.placed("path")] + (["body"] if operation.body else [])
    named = [_argument(each) for each in (*operation.placed("query"), *operation.placed("header"))]
    named += ["media"] if operation.body and operation.body.type is None else []
    return ", ".join([*positional, *(f"{name}={name}" for name in named)])


def _method(operation: Operation, kind: str) -> str:
    """The method of a part; with pages, also the one that goes through all of them."""
    declared, passed = _declared(operation), _passed(operation)
    text = _explained(operation)
    await_ = "await " if kind else ""
    told = f"def {operation.name}({', '.join(filter(None, ('self', declared)))}) -> {_answer(operation)}:\n"
    method = f"    {kind}{told}{indent(text, ' ' * 8)}\n        return {await_}self._send({operation.id}({passed}))\n"
    if not operation.paging:
        return method
    result = f"{'AsyncIterator' if kind else 'Iterator'}[{_words(operation.paging.entry, 'models.')}]"
    told = f"def {operation.iterator}({', '.join(filter(None, ('self', declared)))}) -> {result}:\n"
    doc = _doc(f"Go through all entries of `{operation.name}`, page by page.")
    iterated = f"cast({json.dumps(result)}, self._iterate({operation.id}({passed})))"
    return f"{method}\n    {told}        {doc}\n        return {iterated}\n"


def _explained(operation: Operation) -> str:
    parameters = [f"`{_argument(each)}`: {each.text}" for each in operation.parameters if each.text]
    lines = [line for text in (operation.text, *parameters) for line in wrap(text, WIDTH)]
    return _doc("\n".join([operation.summary.rstrip(".") + ".", "", *lines]))


def _answer(operation: Operation) -> str:
    return "None" if operation.answer is None else _words(operation.answer, "models.")


def _argument(parameter: Parameter) -> str:
    name = snake(parameter.name)
    return f"{name}_" if keyword.iskeyword(name) else name


def _words(found: Type, prefix: str = "", entries: str = "list") -> str:
    """The type as Python writes it; models have a prefix outside of their module.

    `entries`: what an array is; requests take any Sequence.
    """
    match found:
        case Basic():
            return BASICS[found]
        case Named(model):
            return prefix + model
        case OneOf(values):
            return f"Literal[{', '.join(json.dumps(value, ensure_ascii=False) for value in values)}]"
        case ListOf(entry):
            return f"{entries}[{_words(entry, prefix, entries)}]"
        case MapOf(value):
            return f"{'Mapping' if entries == SEQUENCE else 'dict'}[str, {_words(value, prefix, entries)}]"
        case Either(choices):
            return " | ".join(_words(choice, prefix, entries) for choice in choices)
    raise TypeError(found)


def _doc(text: str) -> str:
    """A docstring."""
    safe = text.replace("\\", "\\\\").replace('"""', "'''")
    end = "\n" if "\n" in safe else ""
    return f'"""{safe}{end}"""'
