"""The scope of a search: completed files of some vector stores, or only those that match filters."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, text

from antiphon.wire.json import JSON

_CHUNKS = "FROM chunks JOIN vector_store_files USING (vector_store_id, file_id) WHERE status = 'completed'"
_IDS = {
    "sqlite": "SELECT value FROM json_each(:ids)",
    "postgresql": "SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:ids AS json))",
}
_KEPT = {
    name: text(f"SELECT id, vector_store_id, file_id {_CHUNKS} AND id IN ({ids})")
    for name, ids in _IDS.items()
}
_STORES = "SELECT json_array_elements_text(CAST(:store_list AS json))"
_IN_STORES = f"SELECT id {_CHUNKS} AND vector_store_id IN ({_STORES})"
# The planner expects few elements in a JSON array. Without CASE, it would join the files to the chunks and
# search the whole array for each chunk. Inside CASE, it makes a hash table of the array.
_IN_FILES = (
    " AND CASE WHEN (vector_store_id, file_id) IN "
    "(SELECT value ->> 0, value ->> 1 FROM json_array_elements(CAST(:files AS json))) THEN TRUE END"
)


class Scope:
    """The completed files of vector stores in which to search."""

    def __init__(self, vector_store_ids: Sequence[str], allowed: Mapping[str, Sequence[str]] | None) -> None:
        """Create a scope.

        Args:
            vector_store_ids: The vector stores.
            allowed: The files of each store; None means all completed ones.
        """
        self.vector_store_ids = list(vector_store_ids)
        self._files = (
            None
            if allowed is None
            else {(store, file) for store in vector_store_ids for file in allowed.get(store, ())}
        )

    @property
    def is_empty(self) -> bool:
        """Whether no file matches the filters."""
        return self._files is not None and not self._files

    @property
    def has_filter(self) -> bool:
        """Whether only some files are to be searched."""
        return self._files is not None

    def has_file(self, vector_store_id: str, file_id: str) -> bool:
        """Return whether the filters allow a file of one of the vector stores."""
        return self._files is None or (vector_store_id, file_id) in self._files

    def keep(self, connection: Connection, ids: Sequence[int]) -> set[int]:
        """Return those of the chunks that are in the scope."""
        found = connection.execute(_KEPT[connection.dialect.name], {"ids": msgspec.json.encode(ids).decode()})
        stores = set(self.vector_store_ids)
        return {id_ for id_, store, file in found if store in stores and self.has_file(store, file)}

    def postgresql(self) -> tuple[str, dict[str, JSON]]:
        """Return a query of PostgreSQL for the IDs of all chunks, and its parameters."""
        given: dict[str, JSON] = {"store_list": msgspec.json.encode(self.vector_store_ids).decode()}
        if self._files is None:
            return _IN_STORES, given
        given["files"] = msgspec.json.encode(sorted(self._files)).decode()
        return _IN_STORES + _IN_FILES, given
