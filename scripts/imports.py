"""Import rules: layers of packages, an order of sub-packages, and no cycles.

A unit is a package or a top-level module of `antiphon`. A unit imports only itself and units of lower layers;
the single modules of the lowest layer may import each other. Within a unit, sub-packages import only those
that precede them in `ORDERS`, and no two children of a package import each other, even indirectly.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from scripts.tree import Module

LAYERS = {
    "wire": 0,
    "errors": 0,
    "ids": 0,
    "build": 0,
    "settings": 1,
    "decode": 1,
    "agent": 1,
    "net": 2,
    "documents": 2,
    "store": 2,
    "engine": 2,
    "backends": 3,
    "durable": 3,
    "tools": 3,
    "recording": 4,
    "service": 4,
    "observe": 5,
    "dialects": 5,
    "viewer": 5,
    "server": 6,
    "serving": 7,
    "doctor": 7,
    "testing": 8,
    "cli": 8,
    "pytest_plugin": 9,
    "__main__": 9,
}
CEILINGS = {"wire": -1, "store": 0, "decode": 0, "agent": 0}
"""Highest layer that a unit may import, where stricter than its own layer."""
GROUND = frozenset(room for room, layer in LAYERS.items() if layer == 0 and room != "wire")
ORDERS: dict[str, tuple[str, ...]] = {
    "cli": ("db", "log"),
    "agent": ("functions", "turns"),
    "backends": ("http", "sample"),
    "dialects": ("anthropic",),
    "engine": ("client", "hosted", "reply", "request"),
    "observe": ("telemetry",),
    "recording": ("calls", "files", "matching", "seam", "care"),
    "server": ("http", "edge", "describe", "websocket", "routes", "pages"),
    "server.routes": ("files",),
    "service": ("access", "files", "moderation", "responses", "log", "passthrough", "batches", "webhooks"),
    "store": (
        "deletions",
        "log",
        "vector_stores",
        "containers",
        "uploads",
        "webhooks",
        "chat",
        "responses",
        "runs",
        "sharing",
        "batches",
        "retention",
        "upkeep",
    ),
    "store.vector_stores": ("search",),
    "tools": (
        "client",
        "code_interpreter",
        "file_search",
        "image_generation",
        "mcp",
        "tool_search",
        "web_search",
    ),
    "tools.code_interpreter": ("sandboxes",),
    "tools.web_search": ("providers",),
}
"""Sub-packages of each package, from the lowest to the highest."""


def layers(modules: list[Module]) -> Iterator[str]:
    """Yield every import of an equal or higher layer, and every unit without a layer."""
    names = {module.name for module in modules}
    for module in modules:
        room = _room(module.name)
        if room and room not in LAYERS:
            yield f"{module.path}:1: {room} has no layer; add it to LAYERS in scripts/imports.py"
            continue
        for target, line in sorted(_targets(module, names).items()):
            other = _room(target)
            if not _may_import(room, other):
                yield f"{module.path}:{line}: {room or 'antiphon'} may not import {other or 'antiphon'}"


def orders(modules: list[Module], table: Mapping[str, tuple[str, ...]] = ORDERS) -> Iterator[str]:
    """Yield imports against the order, and sub-packages missing from it."""
    names = {module.name for module in modules}
    for module in modules:
        if module.is_package and module.name.count(".") >= 2:
            parent, _, child = module.name.removeprefix("antiphon.").rpartition(".")
            if child not in table.get(parent, ()):
                yield f"{module.path}:1: {child} is missing from ORDERS of {parent} in scripts/imports.py"
        for target, line in sorted(_targets(module, names).items()):
            parent, mine, other = _siblings(module.name, target)
            order = table.get(parent, ())
            if mine in order and other in order and order.index(other) > order.index(mine):
                yield f"{module.path}:{line}: {parent}.{mine} may not import {parent}.{other}"


def circles(modules: list[Module]) -> Iterator[str]:
    """Yield the first import cycle of all modules or of each package's children.

    Imports inside functions count.
    """
    names = {module.name for module in modules}
    targets = {module.name: set(_targets(module, names)) - {module.name} for module in modules}
    if circle := _circle(targets):
        yield "src:1: import cycle: " + " -> ".join(circle)
        return
    children: dict[str, dict[str, set[str]]] = {}
    for name, imported in targets.items():
        for target in imported:
            parent, mine, other = _siblings(name, target)
            if mine and other and mine != other:
                children.setdefault(parent, {}).setdefault(mine, set()).add(other)
    for parent, graph in sorted(children.items()):
        if circle := _circle(graph):
            yield f"src:1: import cycle in {parent or 'antiphon'}: " + " -> ".join(circle)


def _circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # The library lists a cycle in the reverse direction of its edges.
        return list(reversed(error.args[1]))
    return []


def _siblings(name: str, target: str) -> tuple[str, str, str]:
    """Return the deepest common package of two modules, and its child for each.

    Returns:
        The package and two children; a child is empty if the module is the package itself.
    """
    mine, other = name.split(".")[1:], target.split(".")[1:]
    shared = 0
    while shared < min(len(mine), len(other)) and mine[shared] == other[shared]:
        shared += 1
    child = mine[shared] if shared < len(mine) else ""
    other_child = other[shared] if shared < len(other) else ""
    return ".".join(mine[:shared]), child, other_child


def _may_import(room: str, other: str) -> bool:
    if room == other:
        return True
    if room == "":
        return False
    if other == "":
        return room != "wire"
    if room in GROUND and other in GROUND:
        return True
    layer = LAYERS[room]
    return LAYERS.get(other, layer) <= CEILINGS.get(room, layer - 1) or (room in GROUND and other == "wire")


def _room(name: str) -> str:
    """Return the unit of a module, such as `store` for `antiphon.store.tables`."""
    return name.split(".")[1] if "." in name else ""


def _targets(module: Module, names: set[str]) -> dict[str, int]:
    """Return the project's modules that `module` imports, with line numbers."""
    found: dict[str, int] = {}
    for node in ast.walk(module.tree):
        for target in _imported(node, module):
            # `from antiphon.wire import items` imports a module; `from antiphon.ids import new_id` does not.
            while target and target not in names:
                target = target.rpartition(".")[0]
            if target:
                found.setdefault(target, getattr(node, "lineno", 1))
    return found


def _imported(node: ast.AST, module: Module) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        package = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
        base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
    return [f"{base}.{alias.name}" for alias in node.names]
