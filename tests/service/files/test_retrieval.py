"""Files to chunks and queries to results, over SQLite and simple embeddings."""

import asyncio
from array import array
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from antiphon.documents.extract import DocumentError
from antiphon.documents.ranking import Ranking
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, NotFound, RecordingNotFound, UpstreamUnreachable
from antiphon.service.embeddings import Embeddings
from antiphon.service.files.retrieval import Retrieval, SearchHit, Source, StoreTarget
from antiphon.settings.embedding_inputs import Role
from antiphon.store import Store
from antiphon.store.vector_stores.rows import Attachment, NewVectorStore, StoredFile
from tests.service.world import Catalogue, ScriptedModel

ME = "me"
PLAIN = StoreTarget("vs_1")
MEANING = StoreTarget("vs_1", "up/m", 2)
TOPICS = {"cat": (1.0, 0.0), "felines": (0.9, 0.1), "train": (0.0, 1.0)}


class Meaning(Embeddings):
    """Embeddings by the first known word of a text; or an error."""

    def __init__(self, error: AntiphonError | None = None) -> None:
        super().__init__(Catalogue(ScriptedModel()))
        self.error = error
        self.batches: list[int] = []

    async def embed(
        self, model: str, texts: Sequence[str], role: Role, dimensions: int | None, context: RequestContext
    ) -> list[bytes]:
        if self.error is not None:
            raise self.error
        self.batches.append(len(texts))
        vectors = [next((v for topic, v in TOPICS.items() if topic in text), (0.5, 0.5)) for text in texts]
        return [array("f", vector).tobytes() for vector in vectors]


class Desk:
    """A store with one vector store, and the folder of files."""

    def __init__(self, store: Store, folder: Path, embeddings: Meaning) -> None:
        self.store = store
        self.folder = folder
        self.embeddings = embeddings
        self.retrieval = Retrieval(store.chunks, embeddings)

    async def read(
        self, text: str, target: StoreTarget = PLAIN, *, file_id: str = "file_1", size: int = 800
    ) -> int:
        """Upload, attach and ingest a text; return the number of its bytes in the store."""
        path = self.folder / file_id
        path.write_text(text)
        file = StoredFile(
            id=file_id,
            created_at=1.0,
            expires_at=None,
            purpose="assistants",
            filename="a.txt",
            media_type=None,
            bytes=len(text),
        )
        await self.store.files.add(ME, file)
        attachment = Attachment(
            file_id=file_id, created_at=1.0, attributes="{}", max_chunk_size=size, chunk_overlap=0
        )
        [attached] = await self.store.attachments.attach("vs_1", [attachment])
        source = Source(file_id, attached.attempt, path, "a.txt")
        taken = await self.retrieval.ingest(target, source, size, 0, RequestContext())
        await self.store.attachments.finish(attached, taken)
        return taken

    async def search(
        self, *queries: str, target: StoreTarget = PLAIN, limit: int = 10, ranking: Ranking | None = None
    ) -> list[SearchHit]:
        """Search the vector store."""
        return await self.retrieval.search(
            [target],
            queries,
            limit=limit,
            allowed=None,
            ranking=ranking or Ranking(),
            context=RequestContext(),
        )


@asynccontextmanager
async def desk(folder: Path, error: AntiphonError | None = None) -> AsyncGenerator[Desk, None]:
    store = await Store.open(":memory:")
    try:
        new = NewVectorStore(
            id="vs_1",
            created_at=1.0,
            name="",
            metadata="{}",
            expires_after_days=None,
            embedding_model=None,
            embedding_dimension=None,
        )
        await store.vector_stores.create(ME, new)
        yield Desk(store, folder, Meaning(error))
    finally:
        await store.close()


def test_a_file_becomes_chunks_that_are_found(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            taken = await at.read("one two three four five six", size=3)
            assert await at.store.chunks.of_file("vs_1", "file_1") == ["one two three", " four five six"]
            assert taken == len("one two three four five six")
            [hit] = await at.search("five")
            assert (hit.vector_store_id, hit.file_id, hit.text) == ("vs_1", "file_1", " four five six")
            assert 0 < hit.score < 1
            assert at.embeddings.batches == []

    asyncio.run(scenario())


def test_a_file_without_text_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            await at.read(" \n ")

    with pytest.raises(DocumentError, match="contains no text") as caught:
        asyncio.run(scenario())
    assert caught.value.code == "invalid_file"


def test_meaning_and_words_are_fused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            taken = await at.read("A cat sleeps.", MEANING, file_id="file_1")
            assert taken == len("A cat sleeps.") + 2 * 4
            await at.read("A train runs.", MEANING, file_id="file_2")
            assert (await at.search("felines", target=MEANING))[0].file_id == "file_1"
            # Both its word and its vector match.
            first, second = await at.search("train", target=MEANING)
            assert (first.file_id, second.file_id) == ("file_2", "file_1")
            assert first.score > 0.5 >= second.score
            assert len(await at.search("train", target=MEANING, limit=1)) == 1
            only_words = Ranking(embedding_weight=0.0)
            assert [
                hit.file_id for hit in await at.search("felines", target=MEANING, ranking=only_words)
            ] == []

    asyncio.run(scenario())


def test_each_query_brings_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            await at.read("A cat sleeps.", file_id="file_1")
            await at.read("A train runs.", file_id="file_2")
            assert {hit.file_id for hit in await at.search("cat", "train")} == {"file_1", "file_2"}
            assert await at.search("ships", " ") == []

    asyncio.run(scenario())


def test_long_files_are_embedded_in_batches(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path) as at:
            await at.read("word " * 100, MEANING, size=1)
            assert at.embeddings.batches == [96, 4]
            assert len(await at.store.chunks.of_file("vs_1", "file_1")) == 100

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "error", [NotFound("no such model"), RecordingNotFound("not recorded", has_model=False)]
)
def test_a_model_that_nobody_has_leaves_the_words(error: AntiphonError, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path, error) as at:
            await at.read("A cat sleeps.", MEANING)
            assert [hit.text for hit in await at.search("cat", target=MEANING)] == ["A cat sleeps."]

    asyncio.run(scenario())


def test_a_model_that_fails_fails_the_file_and_the_search(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path, UpstreamUnreachable("up: refused")) as at:
            with pytest.raises(DocumentError, match="up: refused") as caught:
                await at.read("A cat sleeps.", MEANING)
            assert caught.value.code == "server_error"
            with pytest.raises(UpstreamUnreachable):
                await at.search("cat", target=MEANING)

    asyncio.run(scenario())


def test_a_missing_recording_fails_the_file_and_the_search(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with desk(tmp_path, RecordingNotFound("not recorded")) as at:
            with pytest.raises(RecordingNotFound, match="not recorded"):
                await at.read("A cat sleeps.", MEANING)
            with pytest.raises(RecordingNotFound, match="not recorded"):
                await at.search("cat", target=MEANING)

    asyncio.run(scenario())
