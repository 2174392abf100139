"""API reference as one HTML page, without scripts and external files."""

import base64
import hashlib
import re
from html import escape
from itertools import groupby

from antiphon.wire.json import JSON, JSONObject

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882 }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line) }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere }
details { border: 1px solid var(--line); border-radius: 6px; margin: 0.4rem 0; padding: 0.4rem 0.8rem }
summary { cursor: pointer }
summary b { display: inline-block; min-width: 4.5rem; font: bold 0.85em ui-monospace, monospace }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.8rem 0.25rem 0 }
th code { white-space: nowrap }
tr + tr { border-top: 1px solid var(--soft) }
nav a { margin-right: 1rem }
@media (max-width: 40rem) { th code { white-space: normal } }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Content-Security-Policy of the page."""


def docs_page(document: JSONObject) -> str:
    """Return the page for an OpenAPI document of `openapi.describe`."""
    info = document["info"]
    operations = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    groups = [(tag, list(group)) for tag, group in groupby(operations, key=lambda each: each[2]["tags"][0])]
    links = "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a> ' for tag, _ in groups)
    sections = "".join(
        f'<h2 id="{escape(tag)}">{escape(tag)}</h2>' + "".join(_operation(*each) for each in group)
        for tag, group in groups
    )
    types = "".join(_type(name, schema) for name, schema in document["components"]["schemas"].items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>"
        f"<p>{escape(info['description'])} As <a href=/v1/openapi.json>OpenAPI</a>.</p>"
        f'<nav>{links}<a href="#types">types</a></nav>{sections}<h2 id="types">types</h2>{types}'
        "</body></html>\n"
    )


def _operation(method: str, path: str, operation: JSONObject) -> str:
    rows = [
        (each["name"], f"{_schema(each['schema'])}, in the {each['in']}", "")
        for each in operation.get("parameters", ())
    ]
    body = operation.get("requestBody", {}).get("content", {})
    rows += [("body", _schema(media["schema"]), kind) for kind, media in body.items()]
    for status, answer in operation["responses"].items():
        content = answer.get("content")
        if not content:
            rows.append((status, "no content", ""))
        else:
            for kind, media in content.items():
                rows.append((status, _schema(media.get("schema", {})), kind))
    title = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation['summary'])}"
    return f"<details><summary>{title}</summary>{_table(rows)}</details>"


def _type(name: str, schema: JSONObject) -> str:
    required = schema.get("required", ())
    rows = [
        (key, _schema(value), "required" if key in required else "")
        for key, value in schema.get("properties", {}).items()
    ]
    words = f"<p>{escape(schema['description'])}</p>" if "description" in schema else ""
    table = _table(rows) if "properties" in schema else f"<p>{_schema(schema)}</p>"
    # Without `<details>`, because browsers don't open it for a link to its content.
    return f'<h3 id="type-{escape(name)}"><code>{escape(name)}</code></h3>{words}{table}'


def _table(rows: list[tuple[str, str, str]]) -> str:
    """Return a table; the second column contains HTML."""
    lines = "".join(
        f"<tr><th><code>{escape(name)}</code></th><td>{kind}</td><td>{escape(note)}</td></tr>"
        for name, kind, note in rows
    )
    return f"<table>{lines}</table>"


def _schema(schema: JSON) -> str:
    """Return a schema as a line of HTML, with links to named types."""
    if reference := schema.get("$ref"):
        name = escape(re.sub(".*/", "", reference))
        return f'<a href="#type-{name}"><code>{name}</code></a>'
    if "anyOf" in schema:
        return " or ".join(_schema(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    kind = schema.get("type", "anything")
    said = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if kind == "array" and schema.get("items"):
        return f"array of {_schema(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_schema(schema['additionalProperties'])}"
    bounds = {
        "minimum": "at least",
        "maximum": "at most",
        "minLength": "from length",
        "maxLength": "to length",
    }
    limits = [f"{words} {schema[key]}" for key, words in bounds.items() if key in schema]
    return ", ".join([escape(said), *map(escape, limits)])
