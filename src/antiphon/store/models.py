"""Models that clients of llama-stack have registered."""

from msgspec import Struct
from sqlalchemy import (
    Column,
    Connection,
    Double,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)

from antiphon.store.database import Database
from antiphon.store.tables import metadata

registered_models = Table(
    "registered_models",
    metadata,
    Column("owner", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("provider_id", Text, nullable=False),
    Column("provider_model_id", Text, nullable=False),
    Column("model_type", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    PrimaryKeyConstraint("owner", "id"),
)


def m008_registered_models(connection: Connection) -> None:
    """Add the table of registered models."""
    metadata.create_all(connection, [registered_models])


class RegisteredModel(Struct, frozen=True, kw_only=True):
    """A registered model."""

    id: str
    """The ID of the model, unique per owner."""
    created_at: float
    """The time of the registration, in seconds since 1970."""
    provider_id: str
    """The name of the backend."""
    provider_model_id: str
    """The backend's name for the model."""
    model_type: str
    """The type of the model, as on the wire."""
    metadata: str
    """The client's data about the model, as JSON text."""


_COLUMNS = tuple(registered_models.c[name] for name in RegisteredModel.__struct_fields__)


class ModelRecords:
    """The registered models of all owners."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, owner: str, model: RegisteredModel, most: int) -> bool:
        """Store a model, instead of an earlier one with its ID.

        Args:
            owner: The owner of the model.
            model: The model.
            most: The most models of one owner.

        Returns:
            Whether it was stored; False if the owner has `most` other models.
        """
        return await self._database.write(lambda c: _put(c, owner, model, most))

    async def all(self, owner: str) -> list[RegisteredModel]:
        """Return the models of an owner, by ID."""
        return await self._database.read(lambda c: _all(c, owner))


def _put(connection: Connection, owner: str, model: RegisteredModel, most: int) -> bool:
    own = registered_models.c.owner == owner
    connection.execute(delete(registered_models).where(own, registered_models.c.id == model.id))
    count = connection.execute(select(func.count()).select_from(registered_models).where(own)).scalar()
    if count is not None and count >= most:
        return False
    values = {name: getattr(model, name) for name in model.__struct_fields__}
    connection.execute(insert(registered_models), {"owner": owner, **values})
    return True


def _all(connection: Connection, owner: str) -> list[RegisteredModel]:
    listed = select(*_COLUMNS).where(registered_models.c.owner == owner).order_by(registered_models.c.id)
    return [RegisteredModel(**row._asdict()) for row in connection.execute(listed)]
