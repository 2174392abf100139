"""Rules of the project's check: each finds a violation, and accepts good code."""

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from scripts import docs, documents, imports, source, tree


def module(text: str, path: str = "src/antiphon/service/responses/run.py") -> tree.Module:
    parts = path.removeprefix("src/").removesuffix(".py").split("/")
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    text = dedent(text)
    return tree.Module(path=path, name=name, text=text, tree=ast.parse(text), is_package=is_package)


def package(files: dict[str, str]) -> list[tree.Module]:
    """Return modules of the package `antiphon`; `files` maps `engine/loop` to its source."""
    every = {"__init__": "", **files}
    return [module(text, f"src/antiphon/{name}.py") for name, text in every.items()]


GOOD = """
import ast, importlib, re

class Thing:
    def method(self, a, b, c, d, e, f): ...

    @staticmethod
    def static(a, b, c, d, e, f): ...

def load(text):
    try:
        importlib.import_module("antiphon.server")
        re.compile(text)
        return ast.literal_eval(text)
    except (ValueError, OSError):
        return None
"""


def test_good_code_has_no_problem() -> None:
    good = module(GOOD)
    assert [*source.sizes(good), *source.forbidden_calls(good), *source.loose_types(good)] == []
    assert list(source.catch_alls([good], frozenset())) == []


def test_modules_are_read_with_their_names(tmp_path: Path) -> None:
    room = tmp_path / "src" / "antiphon" / "wire"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text("")
    (room / "items.py").write_text("x = 1\n")
    read = tree.modules(tmp_path / "src", tmp_path)
    assert [(each.name, each.path, each.is_package) for each in read] == [
        ("antiphon.wire", "src/antiphon/wire/__init__.py", True),
        ("antiphon.wire.items", "src/antiphon/wire/items.py", False),
    ]


def test_hidden_folders_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "bench" / ".peers" / "other").mkdir(parents=True)
    (tmp_path / "bench" / ".peers" / "other" / "theirs.py").write_text("not Python")
    (tmp_path / "bench" / "ours.py").write_text("")
    assert [module.path for module in tree.modules(tmp_path / "bench", tmp_path)] == ["bench/ours.py"]


def test_a_module_has_at_most_400_lines() -> None:
    assert list(source.sizes(module("x = 1\n" * 400))) == []
    assert list(source.sizes(module("x = 1\n" * 401))) == [
        "src/antiphon/service/responses/run.py:1: 401 lines; a module has at most 400"
    ]


def test_a_function_has_at_most_60_lines() -> None:
    assert list(source.sizes(module("def f():\n" + "    x = 1\n" * 59))) == []
    (problem,) = source.sizes(module("class C:\n    async def f(self):\n" + "        x = 1\n" * 60))
    assert problem.startswith("src/antiphon/service/responses/run.py:2: f has 61 lines")


@pytest.mark.parametrize(
    "text",
    [
        "def f(a, b, c, d, e, f, g): ...",
        "def f(a, b, c, d, /, e, *, f, g): ...",
        "class C:\n    def f(self, a, b, c, d, e, f, g): ...",
        "class C:\n    @staticmethod\n    def f(a, b, c, d, e, f, g): ...",
        "def outer():\n    def f(a, b, c, d, e, f, g): ...",
    ],
)
def test_a_function_has_at_most_six_parameters(text: str) -> None:
    (problem,) = source.sizes(module(text))
    assert "f has 7 parameters" in problem


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    try: ...\n    except Exception: ...",
        "def f():\n    try: ...\n    except BaseException as error: ...",
        "def f():\n    try: ...\n    except: ...",
        "def f():\n    try: ...\n    except (ValueError, Exception): ...",
        "def f():\n    try: ...\n    except builtins.Exception: ...",
        "import contextlib\ndef f():\n    with contextlib.suppress(Exception): ...",
    ],
)
def test_a_catch_all_is_found_unless_it_is_a_named_boundary(text: str) -> None:
    catching = module(text)
    (problem,) = source.catch_alls([catching], frozenset())
    assert "f catches all exceptions" in problem
    assert list(source.catch_alls([catching], frozenset({(catching.path, "f")}))) == []


def test_a_named_boundary_that_is_gone_is_found() -> None:
    (problem,) = source.catch_alls([module(GOOD)], frozenset({("src/antiphon/server/app.py", "answer")}))
    assert "answer is a boundary" in problem


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from pickle import loads",
        "import marshal as m",
        "eval('1')",
        "exec(text)",
        "compile(text, 'x', 'exec')",
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module\nimport_module(f'antiphon.{name}')",
        "__import__(name)",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.unsafe_load(text)",
    ],
)
def test_calls_that_run_data_are_found(text: str) -> None:
    (problem,) = source.forbidden_calls(module(text))
    assert problem.startswith("src/antiphon/service/responses/run.py:")


@pytest.mark.parametrize("text", ["from typing import Any", "import typing\nx: typing.Any = 1"])
def test_any_is_found_outside_the_json_alias(text: str) -> None:
    (problem,) = source.loose_types(module(text))
    assert "Any" in problem
    assert list(source.loose_types(module(text, "src/antiphon/wire/json.py"))) == []


@pytest.mark.parametrize(
    ("importer", "statement", "imported"),
    [
        ("wire/items", "from antiphon.errors import InvalidRequest", "errors"),
        ("wire/items", "import antiphon", "wire/__init__"),
        ("errors", "from antiphon.engine import loop", "engine/loop"),
        ("engine/loop", "from antiphon.backends.chat_model import Client", "backends/chat_model"),
        ("store/tables", "from antiphon.engine.ports import Clock", "engine/ports"),
        ("engine/loop", "from antiphon.store import tables", "store/tables"),
        ("service/run", "def f():\n    import antiphon.server.app", "server/app"),
        ("server/app", "from antiphon.serving.serve import run", "serving/serve"),
        ("server/app", "from ..cli import main", "cli/__init__"),
        ("__init__", "from antiphon.errors import InvalidRequest", "errors"),
    ],
)
def test_an_import_that_points_up_or_sideways_is_found(importer: str, statement: str, imported: str) -> None:
    (problem,) = imports.layers(package({imported: "", importer: statement}))
    assert problem.startswith(f"src/antiphon/{importer}.py:")
    assert "may not import" in problem


@pytest.mark.parametrize(
    ("importer", "statement", "imported"),
    [
        ("wire/items", "from antiphon.wire import json", "wire/json"),
        ("settings/load", "from antiphon.errors import ConfigError", "errors"),
        ("errors", "from antiphon.wire import json", "wire/json"),
        ("engine/loop", "from .ports import Clock", "engine/ports"),
        ("store/tables", "from antiphon.errors import NotFound", "errors"),
        ("service/run", "from antiphon.store import Store", "store/__init__"),
        ("cli/serve", "def f():\n    from antiphon.serving.serve import run", "serving/serve"),
        ("server/app", "from antiphon import __version__", "errors"),
    ],
)
def test_an_import_that_points_down_is_fine(importer: str, statement: str, imported: str) -> None:
    assert list(imports.layers(package({imported: "", importer: statement}))) == []


def test_a_room_without_a_layer_is_found() -> None:
    (problem,) = imports.layers(package({"helpers/things": ""}))
    assert "helpers has no layer" in problem


def test_an_import_against_the_order_of_sub_packages_is_found() -> None:
    modules = package(
        {"engine/a/x": "from antiphon.engine.b import y", "engine/b/y": "", "engine/a/__init__": ""}
    )
    up, unplaced = sorted(imports.orders(modules, {"engine": ("a", "b")})), "engine/b/__init__"
    assert [problem.partition(" ")[2] for problem in up] == ["engine.a may not import engine.b"]
    assert list(imports.orders(modules, {"engine": ("b", "a")})) == []
    (problem,) = imports.orders(package({unplaced: ""}), {"engine": ("a",)})
    assert "b is missing from ORDERS of engine" in problem


def test_parts_of_a_package_that_import_each_other_are_found() -> None:
    texts = {
        "tools/context": "from antiphon.tools.mcp.connection import McpConnection",
        "tools/mcp/connection": "",
        "tools/mcp/tool": "from antiphon.tools.context import ToolContext",
    }
    (problem,) = imports.circles(package(texts))
    assert "import cycle in tools" in problem


def test_a_folder_with_too_many_modules_is_found() -> None:
    many = {f"{folder}/m{number}": "" for folder in ("wire", "engine/reply") for number in range(14)}
    (problem,) = source.folders(package(many))
    assert problem == "src/antiphon/engine/reply:1: 14 modules; a folder has at most 13"


@pytest.mark.parametrize("indent", ["", "def f():\n    "])
def test_a_circle_of_modules_is_found(indent: str) -> None:
    circle = package({"engine/a": "from antiphon.engine.b import x", "engine/b": indent + "from . import a"})
    (problem,) = imports.circles(circle)
    assert "antiphon.engine.a" in problem
    assert "antiphon.engine.b" in problem
    assert list(imports.circles(package({"engine/a": "from antiphon.engine import b", "engine/b": ""}))) == []


def test_constraints_pin_everything_that_is_installed_and_nothing_else_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text("aio_http==3.1\nclick==8.5\n")
    assert list(documents.pins(path, {"aio-http": "3.1", "click": "8.5", "pip": "26"})) == []
    (other,) = documents.pins(path, {"click": "8.4"})
    assert "click 8.4 is installed, pinned is 8.5" in other
    (missing,) = documents.pins(path, {"yarl": "1.2"})
    assert "yarl 1.2 is installed, pinned is nothing" in missing


@pytest.mark.parametrize(
    "line", ["click>=8", "# a comment", "--no-binary x", "click==8.5 ; python_version > '3'", "a @ file:b"]
)
def test_a_constraint_that_is_no_pin_is_found(tmp_path: Path, line: str) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text(f"click==8.5\n{line}\n")
    (problem,) = documents.pins(path, {})
    assert problem == f"constraints.txt:2: not name==version: {line}"


@pytest.mark.parametrize(
    "trace",
    [
        "see /" + "root/notes",
        "'/" + "home/me/x'",
        "/" + "tmp/x",
        "https://py" + "pi.org/simple",
        "pip --" + "index-url x",
    ],
)
def test_a_trace_of_one_machine_is_found(tmp_path: Path, trace: str) -> None:
    (tmp_path / "a.md").write_text(f"first\n{trace}\n")
    (tmp_path / "b.bin").write_bytes(b"\xff\xfe")
    (problem,) = documents.machine_traces(tmp_path, ["a.md", "b.bin", "gone.md"])
    assert problem.startswith("a.md:2: a pa")


def test_addresses_and_home_folders_are_no_traces(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("https://example.com/home/page ~/work/x $HOME/root/y /v1/responses")
    assert list(documents.machine_traces(tmp_path, ["a.md"])) == []


def test_a_generated_part_that_is_missing_or_out_of_date_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# Title\n")
    page = "".join(f"<!-- begin {name} -->\n<!-- end {name} -->\n" for name in docs.GENERATORS)
    (tmp_path / "docs" / "a.md").write_text(page)
    assert list(documents.stale_pages(tmp_path)) == ["docs/a.md:1: out of date; run make docs"]
    (tmp_path / "docs" / "a.md").write_text(docs.fill(page))
    assert list(documents.stale_pages(tmp_path)) == []
    (tmp_path / "docs" / "a.md").write_text("nothing here\n")
    assert list(documents.stale_pages(tmp_path)) == [
        f"docs:1: no page contains the generated part {name}" for name in sorted(docs.GENERATORS)
    ]


def test_error_codes_and_their_catalogue_must_agree(tmp_path: Path) -> None:
    code = module(
        """
        class E(Exception):
            code = "from_class"
            def __init__(self, code=None):
                self.code = code or "from_init"

        raise E(code="from_call" if known else None)
        """
    )
    composed = "".join(f"| `{name}` | x |\n" for name in documents.COMPOSED_CODES)
    page = tmp_path / "errors.md"
    page.write_text(f"{composed}| `from_class` | a |\n| `from_call` | b |\n| `from_init` | c |\n")
    assert list(documents.error_codes([code], page)) == []
    page.write_text(f"{composed}| `from_class` | a |\n| `from_call` | b |\n| `old` | b |\n")
    assert list(documents.error_codes([code], page)) == [
        "src/antiphon/service/responses/run.py:5: the error code from_init is not in errors.md",
        "docs/errors.md:1: no code sends old",
    ]
