"""Containers of the code interpreter, and their files."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from antiphon.wire.json import JSONObject
from antiphon.wire.tools import MemoryLimit


class ContainerLifetime(Struct, kw_only=True):
    """Expiration policy of a container: minutes after its last use."""

    anchor: Literal["last_active_at"]
    minutes: Annotated[int, Meta(ge=1, le=1440)]


class CreateContainer(Struct, kw_only=True):
    """Body of `POST /v1/containers`."""

    name: str
    file_ids: Annotated[list[str], Meta(max_length=50)] | None = None
    expires_after: ContainerLifetime | None = None
    memory_limit: MemoryLimit | None = None
    network_policy: JSONObject | None = None
    skills: list[JSONObject] | None = None


class Container(Struct, kw_only=True):
    """Container with its files and the state of its interpreter."""

    id: str
    object: Literal["container"] = "container"
    created_at: int
    status: Literal["running"] = "running"
    expires_after: ContainerLifetime
    last_active_at: int
    memory_limit: str
    name: str
    network_policy: JSONObject
    """`{"type": "disabled"}`: containers have no network."""


class DeletedContainer(Struct):
    """Response to `DELETE /v1/containers/{id}`."""

    id: str
    object: Literal["container.deleted"] = "container.deleted"
    deleted: bool = True


class CreateContainerFile(Struct, kw_only=True):
    """Body of `POST /v1/containers/{id}/files` that names an uploaded file."""

    file_id: str


class ContainerFile(Struct, kw_only=True):
    """File of a container."""

    id: str
    object: Literal["container.file"] = "container.file"
    created_at: int
    bytes: int
    container_id: str
    path: str
    source: Literal["user", "assistant"]


class DeletedContainerFile(Struct):
    """Response to `DELETE /v1/containers/{id}/files/{id}`."""

    id: str
    object: Literal["container.file.deleted"] = "container.file.deleted"
    deleted: bool = True
