"""View models: the content of pages, and of their twins in JSON."""

from typing import Literal

from msgspec import Struct

from antiphon.recording.seam.history import RecentHit, RecentMiss
from antiphon.service.log.compare import Comparison
from antiphon.service.log.timeline import StepView
from antiphon.store.responses.overview import ResponseLine
from antiphon.store.runs.overview import RunLine
from antiphon.viewer.recording import Recording
from antiphon.viewer.snippets import Snippets
from antiphon.viewer.timeline import Timeline
from antiphon.wire.batches import Batch
from antiphon.wire.conversations import Conversation
from antiphon.wire.files import File
from antiphon.wire.items import Item
from antiphon.wire.json import JSON
from antiphon.wire.log import SentRequest
from antiphon.wire.models import BackendHealth, Model
from antiphon.wire.responses import Response
from antiphon.wire.vector_stores import VectorStore, VectorStoreFile

Tab = Literal["", "raw", "request", "events", "copy"]
"""Content of the page of a response; the empty one renders its items."""


class Event(Struct, kw_only=True):
    """A stored event of a response."""

    sequence_number: int
    type: str
    text: str
    """The event as JSON text."""


class Upstream(Struct, kw_only=True):
    """A model call with the request that was sent."""

    step: StepView
    sent: SentRequest | None
    """The request; None if the log or the database doesn't have its parts."""


class ResponseView(Struct, kw_only=True):
    """A response."""

    tab: Tab
    response: Response
    instructions: str | None
    input: list[Item]
    """The latest items of the input."""
    input_has_more: bool
    following: list[str]
    """IDs of responses that continue this one."""
    forks: list[str]
    """IDs of forks of this response."""
    forked_from: str | None
    timeline: Timeline
    live: str | None = None
    """Address of a stream that ends with the response; None if it has ended."""
    snippets: Snippets
    requests: list[Upstream] = []
    """The requests to backends, on their tab."""
    events: list[Event] = []
    """The first events, on their tab."""
    are_events_stored: bool = False
    """Whether the events are those that the client received; otherwise they come from the items."""
    recording: Recording | None = None
    """The response as a recording, on the tab of copies."""


class ConversationSummary(Struct, kw_only=True):
    """A conversation in the list."""

    id: str
    created_at: float
    item_count: int
    words: str
    """The first words of its first item."""
    metadata: dict[str, str]


class ConversationsView(Struct, kw_only=True):
    """The list of conversations."""

    data: list[ConversationSummary]
    next: str | None
    """Address of the next page."""
    first: str | None
    """Address of the first page, on another one."""


class ConversationView(Struct, kw_only=True):
    """A conversation with a page of its items."""

    conversation: Conversation
    items: list[Item]
    responses: list[ResponseLine]
    """The latest responses."""
    next: str | None
    first: str | None


class FilesView(Struct, kw_only=True):
    """The list of files."""

    data: list[File]
    next: str | None
    first: str | None


class VectorStoresView(Struct, kw_only=True):
    """The list of vector stores."""

    data: list[VectorStore]
    next: str | None
    first: str | None


class Passage(Struct, kw_only=True):
    """A result of a search."""

    file_id: str
    filename: str
    score: float
    text: str
    attributes: dict[str, str | int | float | bool]


class AttachedFile(Struct, kw_only=True):
    """A file of a vector store."""

    filename: str
    file: VectorStoreFile


class VectorStoreView(Struct, kw_only=True):
    """A vector store with its files, and the results of a search."""

    store: VectorStore
    files: list[AttachedFile]
    next: str | None
    first: str | None
    query: str
    passages: list[Passage]
    problem: str = ""
    """Message of a search that failed."""


class QueueView(Struct, kw_only=True):
    """Background responses that have not ended, and batches."""

    data: list[RunLine]
    most: int
    """Largest number of background responses."""
    batches: list[Batch]
    next: str | None
    """Address of the next page of batches."""
    first: str | None


class BackendView(Struct, kw_only=True):
    """A backend."""

    health: BackendHealth
    base_url: str
    kind: str
    origin: str
    """Source of the backend: a file, a variable, or discovery."""
    models: list[Model]


class SettingView(Struct, kw_only=True):
    """A setting with its value, or a masked one."""

    name: str
    value: JSON
    origin: str
    doc: str


class SettingsTable(Struct, kw_only=True):
    """A table of settings; the name is empty for the top level."""

    name: str
    settings: list[SettingView]


class ServerView(Struct, kw_only=True):
    """The server: its version, backends and settings."""

    version: str
    database: str
    database_bytes: int
    notices: list[str]
    """Lines about backends, recordings and settings, as at start-up."""
    backends: list[BackendView]
    tables: list[SettingsTable]


class FileProblem(Struct):
    """A problem of recorded calls, such as stale or unused ones."""

    kind: str
    names: list[str]
    text: str


class RecordingsView(Struct, kw_only=True):
    """The recordings of the server; empty without a directory."""

    mode: str
    directory: str = ""
    calls: dict[str, int] = {}
    """Number of recorded calls by their kind."""
    hit_count: int = 0
    """Hits since the start of the server."""
    miss_count: int = 0
    hits: list[RecentHit] = []
    """The latest hits, the newest first."""
    misses: list[RecentMiss] = []
    is_checked: bool = False
    """Whether the files were read again for `problems`."""
    problem_count: int = 0
    problems: list[FileProblem] = []


class DiffView(Struct, kw_only=True):
    """Two runs side by side."""

    left: str
    right: str
    comparison: Comparison | None
    """None until both responses are named."""
