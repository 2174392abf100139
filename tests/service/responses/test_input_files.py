"""Files by URL and by id; `tests/net/test_guard.py` tests that no private address is reached."""

import base64
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from antiphon.engine.ports import ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AddressNotAllowed, AddressNotFetched, InvalidRequest, NotFound, StoreUnavailable
from antiphon.net.guard import Guard
from antiphon.service.files.files import FileDetails, Files
from antiphon.service.files.folder import FileFolder
from antiphon.service.responses import input_files as room
from antiphon.service.responses.input_files import Attachments, Seam
from antiphon.service.responses.responses import Responses
from antiphon.wire.json import JSON, JSONObject
from tests.net.canary import Canary, Names
from tests.service.world import ME, Catalogue, World, say, text_of, user
from tests.support.upstream import Answer, Upstream, reply

PNG = b"\x89PNG\r\n\x1a\n"


class SeamCatalogue(Catalogue):
    """Catalogue with a seam of tool calls that a test sets."""

    seam: Seam | None = None

    def tool_calls(self, inner: ToolCalls, context: RequestContext) -> ToolCalls:
        return inner if self.seam is None else self.seam(inner)


class Replayed:
    """Tool calls that all have one result, without any request."""

    def __init__(self, result: JSON) -> None:
        self._result = result
        self.asked: list[tuple[str, str, JSONObject]] = []

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        self.asked.append((provider, name, arguments))
        return self._result


class Desk:
    """A world whose requests may name files."""

    def __init__(self, world: World, folder: FileFolder, site: Upstream) -> None:
        self.world = world
        self.site = site
        self.folder = folder
        self.url = f"http://site.test:{site.port}"
        names = Names(site_test=[["127.0.0.1"]], evil_test=[["127.0.0.1"]])
        guard = Guard([f"site.test:{site.port}"], names)
        self.catalogue = SeamCatalogue(world.model)
        self.attachments = Attachments(store=world.store, folder=folder, guard=guard, seconds=5)
        world.responses = Responses(world.store, self.catalogue, attachments=self.attachments)

    def upload(self, data: bytes, name: str, media_type: str | None = None, owner: str = ME) -> str:
        """Store a file and return its id."""
        details = FileDetails(filename=name, media_type=media_type, purpose="user_data", expires_after=None)

        async def kept() -> str:
            async with self.folder.receive() as upload:
                await upload.write(data)
                return (
                    await Files(self.world.store, self.folder).create(
                        RequestContext(owner=owner), upload, details
                    )
                ).id

        return self.world.run(kept())

    def ask(self, *parts: JSONObject, **request: JSON) -> JSONObject:
        """Create a response to a message of these parts."""
        return self.world.respond([user("", content=list(parts))], **request)


@pytest.fixture
def desk(world: World, tmp_path: Path) -> Iterator[Desk]:
    with Upstream() as site:
        yield Desk(world, FileFolder.open(str(tmp_path / "files"), 1_000_000), site)


def file_url(url: str, **more: str) -> JSONObject:
    return {"type": "input_file", "file_url": url} | more


def page(body: bytes, content_type: str) -> Answer:
    return Answer([body], 200, {"Content-Type": content_type}, length=True)


def data_url(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def test_a_text_by_url(desk: Desk) -> None:
    desk.site.script(page("Grüße".encode("latin-1"), "text/plain; charset=iso-8859-1"))
    desk.ask({"type": "input_text", "text": "Read this."}, file_url(f"{desk.url}/a/notes.txt?key=k"))
    assert desk.world.seen() == [
        [{"type": "text", "text": "Read this."}, {"type": "text", "text": "notes.txt:\nGrüße"}]
    ]


@pytest.mark.parametrize("media_type", ["application/pdf", "application/octet-stream", ""])
def test_a_document_by_url(media_type: str, desk: Desk) -> None:
    desk.site.script(page(b"%PDF-1.7", media_type))
    desk.ask(file_url(f"{desk.url}/paper%20one.pdf"))
    file = {"filename": "paper one.pdf", "file_data": data_url(b"%PDF-1.7", "application/pdf")}
    assert desk.world.seen() == [[{"type": "file", "file": file}]]


def test_a_file_in_the_output_of_a_function(desk: Desk) -> None:
    desk.site.script(page(b"<p>x", "text/html"))
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": [file_url(f"{desk.url}/x")]}
    desk.world.respond([call, output])
    assert "x:\n<p>x" in str(desk.world.seen()[-1])


def test_what_was_downloaded_is_kept_and_not_shown(desk: Desk) -> None:
    """The next turn doesn't fetch the URL again; the client sees its own input."""
    desk.site.script(page(b"once", "text/plain"), reply({}, status=410))
    part = file_url(f"{desk.url}/a.txt")
    first = desk.ask(part)
    (shown,) = desk.world.input_items(first["id"])
    assert shown["content"] == [part]
    desk.world.respond("And?", previous_response_id=first["id"])
    assert desk.world.seen()[0] == "a.txt:\nonce"
    assert len(desk.site.requests) == 1


def test_a_file_of_a_conversation_is_downloaded_when_it_is_needed(desk: Desk) -> None:
    desk.site.script(page(b"later", "text/plain"))
    conversation = desk.world.begin(user("", content=[file_url(f"{desk.url}/a.txt")]))
    assert desk.site.requests == []
    desk.world.respond("Read it.", conversation=conversation)
    assert desk.world.seen()[0] == "a.txt:\nlater"


def test_a_file_by_id(desk: Desk) -> None:
    text, pdf = desk.upload(b"Hello", "hello.md", "text/markdown"), desk.upload(b"%PDF", "a.pdf")
    response = desk.ask({"type": "input_file", "file_id": text}, {"type": "input_file", "file_id": pdf})
    assert desk.world.seen() == [
        [
            {"type": "text", "text": "hello.md:\nHello"},
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": data_url(b"%PDF", "application/pdf")},
            },
        ]
    ]
    (shown,) = desk.world.input_items(response["id"])
    assert [part["file_id"] for part in shown["content"]] == [text, pdf]
    assert all("file_data" not in part for part in shown["content"])
    assert desk.world.characters() < 10_000


def test_an_image_by_id(desk: Desk) -> None:
    image = desk.upload(PNG, "a.png")
    response = desk.ask({"type": "input_image", "file_id": image, "detail": "low"})
    url = {"url": data_url(PNG, "image/png"), "detail": "low"}
    assert desk.world.seen() == [[{"type": "image_url", "image_url": url}]]
    (shown,) = desk.world.input_items(response["id"])
    assert "image_url" not in shown["content"][0]
    desk.world.respond("Again.", previous_response_id=response["id"])
    assert desk.world.seen()[0] == [{"type": "image_url", "image_url": url}]


def test_an_image_by_url_is_left_to_the_backend(desk: Desk) -> None:
    url = "http://evil.test/a.png"
    desk.ask({"type": "input_image", "image_url": url})
    assert desk.world.seen() == [[{"type": "image_url", "image_url": {"url": url, "detail": "auto"}}]]


def refused(desk: Desk, part: JSONObject, kind: type[InvalidRequest | NotFound], param: str) -> str:
    with pytest.raises(kind) as caught:
        desk.ask({"type": "input_text", "text": "x"}, part)
    assert caught.value.param == f"input[0].content[1].{param}"
    assert desk.world.rows("responses") == 0
    assert desk.world.model.requests == []
    return caught.value.message


def test_S2_a_private_file_url(desk: Desk) -> None:
    with Canary() as canary:
        for host in ("127.0.0.1", "localhost", "evil.test"):
            refused(desk, file_url(f"http://{host}:{canary.port}/"), AddressNotAllowed, "file_url")
        assert canary.is_alive


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.test", "localhost"])
def test_S11_a_file_url_that_redirects_to_a_private_one(desk: Desk, host: str) -> None:
    with Canary() as canary:
        location = {"Location": f"http://{host}:{canary.port}/"}
        desk.site.script(Answer([b""], 302, location, length=True))
        refused(desk, file_url(f"{desk.url}/"), AddressNotAllowed, "file_url")
        assert canary.is_alive


def test_S13_a_file_url_that_is_no_web_address(desk: Desk) -> None:
    assert "http://" in refused(desk, file_url("file:///etc/passwd"), InvalidRequest, "file_url")


def test_a_file_url_that_gives_nothing(desk: Desk) -> None:
    desk.site.script(reply({}, status=404))
    assert "status 404" in refused(desk, file_url(f"{desk.url}/x"), AddressNotFetched, "file_url")


def test_too_much_by_url(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_BYTES", 1000)
    desk.site.script(page(b"x" * 1001, "text/plain"))
    refused(desk, file_url(f"{desk.url}/x"), AddressNotFetched, "file_url")


def test_too_much_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_BYTES", 1000)
    file = {"type": "input_file", "file_id": desk.upload(b"x" * 600, "a.txt")}
    desk.ask(file)
    with pytest.raises(InvalidRequest) as caught:
        desk.ask(file, file)
    assert caught.value.param == "input[0].content[1].file_id"


def test_files_that_are_not_there_or_of_others(desk: Desk) -> None:
    theirs = desk.upload(b"x", "a.txt", owner="you")
    for file_id in ("file-none", theirs):
        for kind in ("input_file", "input_image"):
            refused(desk, {"type": kind, "file_id": file_id}, NotFound, "file_id")


def test_a_file_that_is_no_image(desk: Desk) -> None:
    part = {"type": "input_image", "file_id": desk.upload(b"x", "a.txt")}
    assert "'a.txt' is not an image" in refused(desk, part, InvalidRequest, "file_id")


def test_bytes_that_are_gone(desk: Desk) -> None:
    file_id = desk.upload(b"x", "a.txt")
    desk.folder.path_of(file_id).unlink()
    with pytest.raises(StoreUnavailable, match=file_id):
        desk.ask({"type": "input_file", "file_id": file_id})


def test_a_download_is_replayed_without_a_connection(desk: Desk) -> None:
    url = f"{desk.url}/a.txt"
    recorded = Replayed({"media_type": "text/plain", "data": base64.b64encode(b"taped").decode()})
    desk.catalogue.seam = lambda inner: recorded
    desk.ask(file_url(url))
    assert desk.world.seen() == ["a.txt:\ntaped"]
    assert recorded.asked == [("attachments", "download", {"url": url})]
    assert desk.site.connections == 0


def test_without_attachments_named_files_are_refused(world: World) -> None:
    world.model.script(say("no"))
    with pytest.raises(InvalidRequest) as caught:
        world.respond([user("", content=[{"type": "input_file", "file_id": "file-1"}])])
    assert caught.value.code == "unsupported_content"


def test_a_string_is_no_place_for_files(desk: Desk) -> None:
    desk.world.model.script(say("Fine."))
    assert text_of(desk.world.respond("Hi")) == "Fine."
    assert msgspec.json.encode(desk.world.seen()) == b'["Hi"]'
