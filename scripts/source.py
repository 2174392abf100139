"""Rules for source files: sizes, catch-alls, forbidden calls and loose types."""

import ast
from collections import Counter
from collections.abc import Iterator

from scripts.tree import Module

MODULE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 6
FOLDER_MODULES = 13

BOUNDARIES = frozenset(
    {
        ("src/antiphon/agent/connection.py", "events_of"),
        ("src/antiphon/agent/connection.py", "async_events_of"),
        ("src/antiphon/agent/functions/execution.py", "_call"),
        ("src/antiphon/agent/functions/threads.py", "work"),
        ("src/antiphon/service/responses/run.py", "events"),
        ("src/antiphon/server/websocket/requests.py", "_handle"),
        ("src/antiphon/server/edge/boundary.py", "__call__"),
        ("src/antiphon/server/http/exchange.py", "run"),
        ("src/antiphon/serving/periodic.py", "repeat_forever"),
        ("src/antiphon/durable/worker.py", "_run"),
        ("src/antiphon/service/responses/background_end.py", "drive"),
        ("src/antiphon/service/batches/lines.py", "run"),
    }
)
"""Paths and names of the only functions that may catch all exceptions.

They are the boundaries of a request or a background task, where an unknown error becomes a response. The
agent has others around its user's code, where an error becomes text for the model or the end of the turn.
"""

_FORBIDDEN_MODULES = frozenset({"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve"})
_FORBIDDEN_NAMES = frozenset({"eval", "exec", "compile"})
_IMPORTERS = frozenset({"import_module", "__import__"})
_YAML_SAFE = frozenset({"safe_load", "safe_load_all", "safe_dump", "safe_dump_all"})
_CATCH_ALLS = frozenset({"Exception", "BaseException"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sizes(module: Module) -> Iterator[str]:
    """Yield every module and function over the limits; `self` does not count."""
    lines = len(module.text.splitlines())
    if lines > MODULE_LINES:
        yield f"{module.path}:1: {lines} lines; a module has at most {MODULE_LINES}"
    for owner, function in _functions(module.tree):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > FUNCTION_LINES:
            yield _at(module, function, f"{function.name} has {length} lines, at most {FUNCTION_LINES}")
        count = _parameters(owner, function)
        if count > PARAMETERS:
            yield _at(module, function, f"{function.name} has {count} parameters, at most {PARAMETERS}")


def folders(modules: list[Module]) -> Iterator[str]:
    """Yield every folder with too many modules, except `wire`, with a module per noun."""
    counts = Counter(module.path.rpartition("/")[0] for module in modules if not module.is_package)
    for folder, count in sorted(counts.items()):
        if count > FOLDER_MODULES and folder != "src/antiphon/wire":
            yield f"{folder}:1: {count} modules; a folder has at most {FOLDER_MODULES}"


def catch_alls(modules: list[Module], allowed: frozenset[tuple[str, str]]) -> Iterator[str]:
    """Yield catch-alls outside `allowed`, and entries of `allowed` without one."""
    used = set()
    for module in modules:
        for function, node in _catch_alls(module.tree, "<module>"):
            if (module.path, function) in allowed:
                used.add((module.path, function))
            else:
                yield _at(module, node, f"{function} catches all exceptions; catch specific ones")
    for path, function in sorted(allowed - used):
        yield f"{path}:1: {function} is a boundary in scripts/source.py, but contains no catch-all"


def forbidden_calls(module: Module) -> Iterator[str]:
    """Yield every call that executes or imports data, such as `eval` or `yaml.load`."""
    for node in ast.walk(module.tree):
        for name in _imported(node):
            if name.partition(".")[0] in _FORBIDDEN_MODULES:
                yield _at(module, node, f"{name} executes the data that it reads; use JSON")
        if isinstance(node, ast.Call):
            yield from _forbidden_call(module, node)


def loose_types(module: Module) -> Iterator[str]:
    """Yield every `Any`, except in the definition of the alias for JSON values."""
    if module.name == "antiphon.wire.json":
        return
    for node in ast.walk(module.tree):
        imports_any = isinstance(node, ast.ImportFrom) and any(alias.name == "Any" for alias in node.names)
        names_any = isinstance(node, ast.Attribute) and node.attr == "Any" and _name(node.value) == "typing"
        if imports_any or names_any:
            yield _at(module, node, "Any; use antiphon.wire.json.JSON for JSON values, and types elsewhere")


def _forbidden_call(module: Module, call: ast.Call) -> Iterator[str]:
    name = _name(call.func)
    if isinstance(call.func, ast.Name) and name in _FORBIDDEN_NAMES:
        yield _at(module, call, f"{name}() executes text")
    if name in _IMPORTERS and not (call.args and isinstance(call.args[0], ast.Constant)):
        yield _at(module, call, f"{name}() with a name that is not a literal")
    if isinstance(call.func, ast.Attribute) and _name(call.func.value) == "yaml" and name not in _YAML_SAFE:
        yield _at(module, call, f"yaml.{name}(); use yaml.safe_load")


def _functions(tree: ast.Module) -> Iterator[tuple[ast.AST, Function]]:
    for owner in ast.walk(tree):
        for node in ast.iter_child_nodes(owner):
            if isinstance(node, Function):
                yield owner, node


def _parameters(owner: ast.AST, function: Function) -> int:
    arguments = function.args
    count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
    static = any(_name(decorator) == "staticmethod" for decorator in function.decorator_list)
    return count - 1 if isinstance(owner, ast.ClassDef) and count and not static else count


def _catch_alls(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        inner = child.name if isinstance(child, Function) else function
        if isinstance(child, ast.ExceptHandler) and _catches_all(child.type):
            yield inner, child
        if isinstance(child, ast.Call) and _name(child.func) == "suppress":
            yield from ((inner, child) for argument in child.args if _catches_all(argument))
        yield from _catch_alls(child, inner)


def _catches_all(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(_catches_all(element) for element in kind.elts)
    return kind is None or _name(kind) in _CATCH_ALLS


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name, such as `load` of `yaml.load`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _at(module: Module, node: ast.AST, text: str) -> str:
    return f"{module.path}:{getattr(node, 'lineno', 1)}: {text}"
