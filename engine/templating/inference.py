"""The schema of a template's values, inferred from what its texts name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from engine.templating.schema import DEEPEST

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

GIVEN = ("locale",)  # what every template is given
_WITHIN = frozenset({"loop", "self", "super", "caller", "varargs", "kwargs"})


@dataclass(slots=True)
class Shape:
    """What a value must have to be used as a template does."""

    members: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None
    optional: bool = False

    def member(self, name: str) -> Shape:
        return self.members.setdefault(name, Shape())

    def schema(self, depth: int = DEEPEST) -> dict[str, Any]:
        """As a JSON schema; what is used as an object and as an array may be anything, and what is deeper, too."""
        if depth == 1:
            return {}
        if self.members and self.items is None:
            required = sorted(name for name, shape in self.members.items() if not shape.optional)
            properties = {name: shape.schema(depth - 1) for name, shape in sorted(self.members.items())}
            return {"type": "object", "properties": properties} | ({"required": required} if required else {})
        return {"type": "array", "items": self.items.schema(depth - 1)} if self.items and not self.members else {}


Scope = dict[str, Shape | None]  # names that a template gives itself; None: to something of its own


def schema(trees: Iterable[nodes.Template], known: Container[str]) -> dict[str, Any]:
    """What templates need of their values; `known`: names that they have from elsewhere."""
    walk = _Walk(known)
    for tree in trees:
        walk.visit(tree, {})
    return {"type": "object"} | walk.root.schema()


class _Walk:
    def __init__(self, known: Container[str]) -> None:
        self.root = Shape()
        self._known = known

    def visit(self, node: nodes.Node, scope: Scope) -> None:
        """Note what a node needs."""
        if isinstance(node, nodes.For):
            self._loop(node, scope)
        elif isinstance(node, nodes.Macro | nodes.CallBlock | nodes.With | nodes.Block):
            self._inside(node, scope)
        elif isinstance(node, nodes.Import | nodes.FromImport):
            scope.update(dict.fromkeys(_imported(node)))
        elif isinstance(node, nodes.Name) and node.ctx != "load":
            scope[node.name] = None
        elif isinstance(node, nodes.Expr):
            self._expression(node, scope)
        else:
            self._all(node.iter_child_nodes(), scope)

    def _expression(self, node: nodes.Expr, scope: Scope) -> None:
        if isinstance(node, nodes.Test) and node.name in ("defined", "undefined"):
            self._may_lack(node.node, scope)
        elif isinstance(node, nodes.Filter) and node.name in ("default", "d") and isinstance(node.node, nodes.Expr):
            self._may_lack(node.node, scope)
            self._all([*node.args, *node.kwargs], scope)
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):  # a method of its value
            self._all([node.node.node, *node.args, *node.kwargs], scope)
        elif self._shape(node, scope) is None:
            self._all(node.iter_child_nodes(), scope)

    def _all(self, some: Iterable[nodes.Node], scope: Scope) -> None:
        for node in some:
            self.visit(node, scope)

    def _inside(self, node: nodes.Node, scope: Scope) -> None:
        """What stands in a block of its own; the name of a macro is known behind it."""
        if isinstance(node, nodes.Macro):
            scope[node.name] = None
        self._all(node.iter_child_nodes(), dict(scope))

    def _loop(self, node: nodes.For, scope: Scope) -> None:
        values = node.iter.node if isinstance(node.iter, nodes.Filter) and node.iter.name == "counted" else node.iter
        shape = self._shape(values, scope) if isinstance(values, nodes.Expr) else None
        if values and shape is None:
            self.visit(values, scope)
        inside = dict(scope)
        if shape is not None:
            shape.items = shape.items or Shape()
        if isinstance(node.target, nodes.Name):
            inside[node.target.name] = shape.items if shape else None
        else:
            self.visit(node.target, inside)
        self._all([*([node.test] if node.test else []), *node.body], inside)
        self._all(node.else_, dict(scope))

    def _may_lack(self, node: nodes.Expr, scope: Scope) -> None:
        shape = self._shape(node, scope)
        if shape is not None:
            shape.optional = True

    def _shape(self, node: nodes.Expr, scope: Scope) -> Shape | None:
        """What is noted of a value that is named, such as `order.lines`; None: it has no such name."""
        if isinstance(node, nodes.Name):
            if node.name in scope:
                return scope[node.name]
            return None if node.name in self._known or node.name in _WITHIN else self.root.member(node.name)
        if isinstance(node, nodes.Getattr):
            around = self._shape(node.node, scope)
            return around.member(node.attr) if around else None
        if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            around = self._shape(node.node, scope)
            return around.member(node.arg.value) if around else None
        return None


def _imported(node: nodes.Import | nodes.FromImport) -> list[str]:
    if isinstance(node, nodes.Import):
        return [node.target]
    return [name if isinstance(name, str) else name[1] for name in node.names]
