"""The TypeScript client's generated modules: JavaScript that runs as it is, and declarations of its types.

So neither its users nor its tarball need a compiler.
"""

from __future__ import annotations

import json
import re
from textwrap import indent, wrap
from typing import TYPE_CHECKING

from clients.generate.names import BASES, camel, snake
from clients.generate.types import KEY, Basic, Either, ListOf, MapOf, Named, OneOf, Type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clients.generate.types import Api, Body, Model, Operation, Parameter

HEAD = "// {}; `make clients` writes this file.\n\n"
BASICS = {
    Basic.STRING: "string",
    Basic.INTEGER: "number",
    Basic.NUMBER: "number",
    Basic.BOOLEAN: "boolean",
    Basic.NULL: "null",
    Basic.TIME: "Date | string",
    Basic.ANYTHING: "unknown",
}
WIDTH = 110
_PLAIN = re.compile(r"[A-Za-z_$][\w$]*")


def modules(api: Api) -> Mapping[str, str]:
    """The text of each file, by its path below the folder."""
    version = HEAD.format("The version of the client, and of its Varsel")
    found = {
        "version.js": f'{version}export const VERSION = "{api.version}";\n',
        "version.d.ts": f"{version}export declare const VERSION: string;\n",
        "models.d.ts": HEAD.format("The types of bodies and answers") + "\n".join(map(_model, api.models)),
        "models.js": HEAD.format("The models are types alone") + "export {};\n",
        "parts.js": _parts(api),
        "parts.d.ts": _declared_parts(api),
    }
    for part in api.parts:
        operations = [each for each in api.operations if each.part == part]
        found[f"{snake(part)}.js"] = _part(part, operations)
        found[f"{snake(part)}.d.ts"] = _declared_part(part, operations)
    return found


def _model(model: Model) -> str:
    if model.alias is not None:
        return f"{_doc(model.text)}export type {model.name} = {_words(model.alias)};\n"
    members = "".join(
        f"{_doc(each.text)}{_key(each.name)}{'' if each.required else '?'}: {_words(each.type)};\n"
        for each in model.members
    )
    members += "/** Attributes of your own. */\n[name: string]: unknown;\n" if model.is_open else ""
    return f"{_doc(model.text)}export interface {model.name} {{\n{indent(members, '  ')}}}\n"


def _parts(api: Api) -> str:
    imports = "".join(f'import {{ {part} }} from "./{snake(part)}.js";\n' for part in sorted(api.parts))
    fields = "".join(f"    this.{camel(part)} = new {part}(connection);\n" for part in api.parts)
    body = f"/** Each part by its name. */\nexport class Parts {{\n  constructor(connection) {{\n{fields}  }}\n}}\n"
    return f"{HEAD.format('The parts of the API, as attributes of a client')}{imports}\n{body}"


def _declared_parts(api: Api) -> str:
    imports = "".join(f'import type {{ {part} }} from "./{snake(part)}.js";\n' for part in sorted(api.parts))
    fields = "".join(f"  readonly {camel(part)}: {part};\n" for part in api.parts)
    head = HEAD.format("The parts of the API, as attributes of a client")
    connection = 'import type { Connection } from "../core.js";\n'
    body = f"export declare class Parts {{\n  constructor(connection: Connection);\n{fields}}}\n"
    return f"{head}{connection}{imports}\n/** Each part by its name. */\n{body}"


def _part(part: str, operations: Sequence[Operation]) -> str:
    module, base = BASES.get(part, ("", ""))
    used = sorted(name for name in ("named", "pathOf") if any(name in _call(each) for each in operations))
    lines = [HEAD.format(f"The part {part} of the API").rstrip("\n") + "\n"]
    lines += [f'import {{ {", ".join(used)} }} from "../core.js";'] if used else []
    lines += [f'import {{ {base} }} from "../{module}.js";'] if base else []
    lines.append(f"\nexport class {part} {f'extends {base} ' if base else ''}{{")
    if not base:
        lines.append("  constructor(connection) {\n    this.connection = connection;\n  }\n")
    lines += [method for each in operations for method in _methods(each)]
    return "\n".join(lines).rstrip("\n") + "\n}\n"


def _methods(operation: Operation) -> Iterable[str]:
    given = ", ".join([*_positional(operation), "options = {}"])
    call = _call(operation)
    yield f"  {camel(operation.name)}({given}) {{\n    return this.connection.send({call});\n  }}\n"
    if operation.paging:
        yield f"  {camel(operation.iterator)}({given}) {{\n    return this.connection.iterate({call});\n  }}\n"


def _call(operation: Operation) -> str:
    """A request as a value."""
    members = [f"method: {json.dumps(operation.verb)}", f"path: {_path(operation)}"]
    for place, name in (("query", "query"), ("header", "headers")):
        if given := operation.placed(place):
            members.append(f"{name}: {{ {', '.join(_given(operation, each) for each in given)} }}")
    if body := operation.body:
        if body.type is None:
            members += [f"media: options.media ?? {json.dumps(body.media[0])}", "content: body"]
        else:
            members += [f"media: {_media(body)}", f"json: {'named(body)' if body.is_named else 'body'}"]
    members += ["repeatable: true"] if operation.is_repeatable else []
    members += ["keyed: true"] if operation.makes_key else []
    if paging := operation.paging:
        pages = [f"member: {json.dumps(paging.member)}"] if paging.member else []
        members.append(f"pages: {{ {', '.join([*pages, f'numbered: {json.dumps(paging.is_numbered)}'])} }}")
    inner = "".join(f"      {member},\n" for member in [*members, "signal: options.signal"])
    return f"{{\n{inner}    }}"


def _given(operation: Operation, parameter: Parameter) -> str:
    value = f"options.{camel(parameter.name)}"
    if parameter.name == KEY and operation.makes_key:
        value += " ?? crypto.randomUUID()"
    return f"{_key(parameter.name)}: {value}"


def _path(operation: Operation) -> str:
    names = ", ".join(each.name for each in operation.placed("path"))
    return f"pathOf({json.dumps(operation.path)}, {{ {names} }})" if names else json.dumps(operation.path)


def _media(body: Body) -> str:
    """Which of the media types it is: a list is a batch."""
    if len(body.media) == 1:
        return json.dumps(body.media[0])
    one, batch = body.media
    return f"Array.isArray(body) ? {json.dumps(batch)} : {json.dumps(one)}"


def _positional(operation: Operation) -> list[str]:
    return [*(each.name for each in operation.placed("path")), *(["body"] if operation.body else [])]


def _declared_part(part: str, operations: Sequence[Operation]) -> str:
    module, base = BASES.get(part, ("", ""))
    lines = [
        HEAD.format(f"The part {part} of the API").rstrip("\n") + "\n",
        'import type { CallOptions, Connection } from "../core.js";',
        'import type * as models from "./models.js";',
        *([f'import {{ {base} }} from "../{module}.js";'] if base else []),
        f"\nexport declare class {part} {f'extends {base} ' if base else ''}{{",
        "  constructor(connection: Connection);",
        *(indent(each, "  ") for operation in operations for each in _declarations(operation)),
    ]
    return "\n".join(lines).rstrip("\n") + "\n}\n"


def _declarations(operation: Operation) -> Iterable[str]:
    declared = [f"{each.name}: {_words(each.type)}" for each in operation.placed("path")]
    if body := operation.body:
        declared.append(f"body: {'string | Uint8Array' if body.type is None else _words(body.type, 'models.')}")
    named = [
        f"{camel(each.name)}{'' if each.required else '?'}: {_words(each.type)}"
        for each in (*operation.placed("query"), *operation.placed("header"))
    ]
    named += [f"media?: {_words(OneOf(body.media))}"] if body and body.type is None else []
    must = any(each.required for each in operation.parameters if each.place != "path")
    inner = f" & {{ {'; '.join(named)} }}" if named else ""
    declared.append(f"options{'' if must else '?'}: CallOptions{inner}")
    result = "void" if operation.answer is None else _words(operation.answer, "models.")
    given = ", ".join(declared)
    yield f"{_doc(_explained(operation))}{camel(operation.name)}({given}): Promise<{result}>;"
    if paging := operation.paging:
        doc = _doc(f"Goes through all entries of `{camel(operation.name)}`, page by page.")
        yield f"{doc}{camel(operation.iterator)}({given}): AsyncGenerator<{_words(paging.entry, 'models.')}>;"


def _explained(operation: Operation) -> str:
    others = [each for each in operation.parameters if each.text]
    lines = [f"{operation.summary.rstrip('.')}.", operation.text]
    lines += [f"`{each.name if each.place == 'path' else camel(each.name)}`: {each.text}" for each in others]
    return "\n".join(line for text in lines for line in wrap(text, WIDTH))


def _key(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else json.dumps(name)


def _words(found: Type, prefix: str = "") -> str:
    """The type as TypeScript writes it; models have a prefix outside of their module."""
    match found:
        case Basic():
            return BASICS[found]
        case Named(model):
            return prefix + model
        case OneOf(values):
            return " | ".join(json.dumps(value, ensure_ascii=False) for value in values)
        case ListOf(entry):
            return f"Array<{_words(entry, prefix)}>"
        case MapOf(value):
            return f"Record<string, {_words(value, prefix)}>"
        case Either(choices):
            return " | ".join(_words(choice, prefix) for choice in choices)
    raise TypeError(found)


def _doc(text: str) -> str:
    """A comment that editors show."""
    safe = text.replace("*/", "* /").split("\n")
    if not text:
        return ""
    return f"/** {safe[0]} */\n" if len(safe) == 1 else "/**\n" + "".join(f" * {line}\n" for line in safe) + " */\n"
