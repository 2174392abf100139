"""Tables of containers and their files."""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from antiphon.store.tables import metadata

containers = Table(
    "containers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_active_at", Double, nullable=False),
    Column("deadline", Double, nullable=False, index=True),  # By the store's own clock, which is never frozen
    Column("minutes", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("memory_limit", Text, nullable=False),
    Column("runs", Integer, nullable=False),  # Of code
)
Index("containers_by_time", containers.c.owner, containers.c.created_at, containers.c.id)

container_files = Table(
    "container_files",
    metadata,
    Column("id", Text, primary_key=True),
    Column("container_id", Text, ForeignKey("containers.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("path", Text, nullable=False),  # Below the folder of data
    Column("source", Text, nullable=False),
    Column("digest", Text, nullable=False),  # SHA-256, in hexadecimal digits
    UniqueConstraint("container_id", "path"),
)


def m026_containers(connection: Connection) -> None:
    """Add the tables of containers."""
    metadata.create_all(connection, [containers, container_files])
