"""Imports point down only, and never in a circle.

A room is a package or a top-level module of `antiphon`. It imports rooms on lower floors, and itself; the
ground floor's single modules may import each other.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from scripts.tree import Module

FLOORS = {
    "wire": 0,
    "errors": 0,
    "ids": 0,
    "config": 0,
    "config_tools": 0,
    "config_values": 0,
    "settings": 0,
    "settings_tools": 0,
    "settings_values": 0,
    "decode": 0,
    "decode_errors": 0,
    "engine": 1,
    "documents": 2,
    "backends": 2,
    "net": 1,
    "observe": 3,
    "serving": 5,
    "tools": 2,
    "recording": 2,
    "store": 2,
    "service": 3,
    "server": 4,
    "viewer": 4,
    "agent": 4,
    "cli": 5,
    "testing": 5,
    "pytest_plugin": 6,
    "__main__": 6,
}
CEILINGS = {"wire": -1, "store": 0}
"""Rooms that see less than their floor would let them: the highest floor they may import."""
GROUND = frozenset(room for room, floor in FLOORS.items() if floor == 0 and room != "wire")


def floors(modules: list[Module]) -> Iterator[str]:
    """Yields every import that points up or sideways, and every room that has no floor."""
    names = {module.name for module in modules}
    for module in modules:
        room = _room(module.name)
        if room and room not in FLOORS:
            yield f"{module.path}:1: the room {room} has no floor; give it one in scripts/imports.py"
            continue
        for target, line in sorted(_targets(module, names).items()):
            other = _room(target)
            if not _may_import(room, other):
                yield f"{module.path}:{line}: {room or 'antiphon'} may not import {other or 'antiphon'}"


def circles(modules: list[Module]) -> Iterator[str]:
    """Yields the first circle among the modules, imports inside functions included."""
    names = {module.name for module in modules}
    graph = {module.name: set(_targets(module, names)) - {module.name} for module in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # The library lists a circle against the direction of its edges.
        yield "src:1: modules import each other in a circle: " + " -> ".join(reversed(error.args[1]))


def _may_import(room: str, other: str) -> bool:
    if room == other:
        return True
    if room == "":
        return False
    if other == "":
        return room != "wire"
    if room in GROUND and other in GROUND:
        return True
    floor = FLOORS[room]
    return FLOORS.get(other, floor) <= CEILINGS.get(room, floor - 1) or (room in GROUND and other == "wire")


def _room(name: str) -> str:
    """The first part below `antiphon`: `store` of `antiphon.store.tables`; empty for `antiphon` itself."""
    return name.split(".")[1] if "." in name else ""


def _targets(module: Module, names: set[str]) -> dict[str, int]:
    """The project's modules that `module` imports, each with the line of its first import."""
    found: dict[str, int] = {}
    for node in ast.walk(module.tree):
        for target in _imported(node, module):
            # `from antiphon.wire import items` names a module; `from antiphon.ids import new_id` does not.
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
