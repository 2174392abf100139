"""Version, health, providers and routes, and the description of the API."""

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser

import jsonschema_rs
import pytest
from starlette.routing import Route

from antiphon import __version__
from antiphon.server.app import ROUTES
from antiphon.server.describe.openapi import operations_of
from antiphon.server.describe.operation import ApiRoute
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import Reply, call, get
from tests.support.serving import Serving
from tests.support.upstream import Upstream


@pytest.fixture
def document(url: str) -> JSONObject:
    reply = get(url, "/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    document: JSONObject = reply.json
    return document


def page(url: str) -> Reply:
    return call(url.removesuffix("/v1"), "GET", "/docs")


def test_health_and_version(url: str) -> None:
    assert get(url, "/health").json["status"] == "OK"
    assert get(url, "/version").json == {"version": __version__}


def test_models_say_which_backend_has_them(url: str) -> None:
    models = {model["id"]: model for model in get(url, "/models").json["data"]}
    assert models["up/m"]["custom_metadata"] == {
        "model_type": "llm",
        "provider_id": "up",
        "provider_resource_id": "m",
    }
    assert get(url, "/models/up/m").json == models["up/m"]


def test_providers_are_the_backends_and_the_server_itself(url: str, upstream: Upstream) -> None:
    providers = get(url, "/providers").json["data"]
    assert {"api", "provider_id", "provider_type", "config", "health"} == set(providers[0])
    inference = [each for each in providers if each["api"] == "inference"]
    assert [each["provider_id"] for each in inference] == ["up", "antiphon"]
    assert inference[0]["provider_type"] == "remote::openai"
    assert inference[0]["health"] == {"status": "OK", "message": ""}
    assert {"responses", "files", "vector_io"} <= {each["api"] for each in providers}
    for each in providers:
        assert get(url, f"/providers/{each['provider_id']}").json == each
    assert get(url, "/providers/none").status == 404
    # Clients must not see the address and the key of a backend.
    assert str(upstream.port) not in str(providers)


def test_every_route_is_listed_and_described(url: str, document: JSONObject) -> None:
    routes = get(url, "/inspect/routes").json["data"]
    listed = {(each["method"], each["route"]) for each in routes}
    described = {(m.upper(), path) for path, methods in document["paths"].items() for m in methods}
    assert listed == described
    assert ("POST", "/v1/responses") in listed


def test_every_route_of_the_api_has_a_description() -> None:
    bare = [route for route in ROUTES if isinstance(route, Route) and not isinstance(route, ApiRoute)]
    assert [route.path for route in bare] == ["/v1/models/{model:path}", "/docs", "/metrics"], (
        "other routes are ApiRoutes"
    )
    assert all(operation.summary for operation in operations_of(ROUTES).values())


def test_the_document_is_openapi_3_1(document: JSONObject) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["version"] == __version__
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    ids = [each["operationId"] for each in operations]
    assert len(set(ids)) == len(ids)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            named = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
            assert named == re.findall(r"\{(\w+)\}", path)
            assert all(each["required"] for each in operation.get("parameters", ()) if each["in"] == "path")
            assert "default" in operation["responses"]


def test_every_schema_is_one_and_every_reference_leads_somewhere(document: JSONObject) -> None:
    components = document["components"]["schemas"]
    for name, schema in components.items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    references = set(re.findall(r"'#/components/schemas/([^']+)'", str(document)))
    assert references <= set(components)
    assert {"Response", "CreateResponse", "ItemPage", "FilePage", "ErrorEnvelope"} <= references


def test_what_the_server_answers_fits_its_own_description(url: str, document: JSONObject) -> None:
    for path in ("/models", "/providers", "/prompts", "/files", "/version", "/vector_stores"):
        operation = document["paths"]["/v1" + path]["get"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        check(document, schema, get(url, path).json)
    error = document["paths"]["/v1/models"]["get"]["responses"]["default"]
    check(document, error["content"]["application/json"]["schema"], get(url, "/models/none").json)


def check(document: JSONObject, schema: JSONObject, value: JSON) -> None:
    whole = {**schema, "components": document["components"]}
    jsonschema_rs.Draft202012Validator(whole).validate(value)


class _Seen(HTMLParser):
    """The start tags of a page, and the ids and links in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.ids.add(given.get("id") or "")
        self.links.add(given.get("href") or "")
        assert not {"onclick", "onload", "src", "style"} & given.keys()


def test_the_page_lists_every_operation_and_loads_nothing(url: str, document: JSONObject) -> None:
    reply = page(url)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = reply.body.decode()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<b>{method.upper()}</b> <code>{path}</code>" in text
    seen = _Seen()
    seen.feed(text)
    assert not {"script", "link", "img", "iframe"} & set(seen.tags)
    assert {link.removeprefix("#") for link in seen.links if link.startswith("#")} <= seen.ids
    assert {link for link in seen.links if not link.startswith("#")} == {"", "/v1/openapi.json"}


def test_the_page_may_do_nothing_but_show_itself(url: str) -> None:
    reply = page(url)
    policy = dict(each.strip().split(" ", 1) for each in reply.headers["content-security-policy"].split(";"))
    style = re.findall(r"<style>(.*?)</style>", reply.body.decode(), re.S)
    assert [f"'sha256-{b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in style] == [
        policy["style-src"]
    ]
    assert policy["default-src"] == "'none'"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_what_comes_from_a_type_is_escaped() -> None:
    from antiphon.server.describe.docs_page import docs_page
    from antiphon.server.describe.openapi import describe

    document = describe([])
    document["components"]["schemas"] = {
        "A": {"description": "<script>", "properties": {"<b>": {"enum": ["<i>"]}, "c": {"type": "<u>"}}}
    }
    text = docs_page(document)
    assert "<script>" not in text
    for tag in ("<b>", "<i>", "<u>"):
        assert tag not in text.split('<h2 id="types">')[1]


def test_the_document_is_made_once(server: Serving, url: str) -> None:
    assert get(url, "/openapi.json").body == get(url, "/openapi.json").body


@pytest.mark.parametrize("path", ["/tools", "/toolgroups", "/shields", "/scoring-functions"])
def test_lists_that_clients_of_llama_stack_ask_for_are_empty(url: str, path: str) -> None:
    answer = get(url, path)
    assert (answer.status, answer.json) == (200, {"data": []})
    assert call(url, "POST", path).status == 405


@pytest.mark.parametrize("path", ["/responses", "/models", "/health", "/responses/resp_1"])
def test_a_path_without_the_base_path_of_the_api(url: str, path: str) -> None:
    answer = call(url.removesuffix("/v1"), "GET", path)
    assert answer.status == 404
    assert answer.error["message"].endswith(f"The base URL ends with /v1, so that the path is /v1{path}.")
