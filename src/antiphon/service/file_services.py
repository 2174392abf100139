"""Files, vector stores and searches, made together: one folder, one reader of files."""

from dataclasses import dataclass
from typing import Self

from antiphon.engine.ports import ModelCatalogue
from antiphon.net.guard import Guard
from antiphon.service.attached_files import AttachedFiles
from antiphon.service.attachments import Attachments
from antiphon.service.embeddings import Embeddings
from antiphon.service.file_folder import FileFolder
from antiphon.service.files import Files
from antiphon.service.ingestion import Ingestion
from antiphon.service.retrieval import Retrieval
from antiphon.service.search import Search
from antiphon.service.vector_stores import VectorStores
from antiphon.settings.tools import ToolsSettings
from antiphon.store import Store


@dataclass(frozen=True, kw_only=True)
class FileServices:
    """What a server that keeps files does with them."""

    files: Files
    vector_stores: VectorStores
    attached_files: AttachedFiles
    search: Search
    ingestion: Ingestion
    attachments: Attachments

    @classmethod
    def open(cls, store: Store, catalogue: ModelCatalogue, tools: ToolsSettings, guard: Guard) -> Self:
        """Opens the folder of files; `guard` judges the addresses of files that requests name.

        Raises `StoreUnavailable` if the folder cannot be made.
        """
        settings = tools.file_search
        folder = FileFolder.open(settings.files, settings.max_file_bytes)
        retrieval = Retrieval(store.chunks, Embeddings(catalogue))
        ingestion = Ingestion(store, folder, retrieval)
        attached_files = AttachedFiles(store, ingestion)
        return cls(
            files=Files(store, folder),
            vector_stores=VectorStores(store, attached_files, settings.embedding_model),
            attached_files=attached_files,
            search=Search(store, retrieval),
            ingestion=ingestion,
            attachments=Attachments(store=store, folder=folder, guard=guard, seconds=tools.timeout),
        )

    async def delete_expired(self) -> None:
        """Deletes files whose time is over, and empties vector stores whose time is. Call it now and then."""
        await self.files.delete_expired()
        await self.vector_stores.empty_expired()

    async def close(self) -> None:
        """Stops reading files."""
        await self.ingestion.close()
        self.files.folder.close()
