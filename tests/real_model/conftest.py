"""One real model server, one real embedding server, and an Antiphon that finds both."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from antiphon.backends.catalogue import Models
from antiphon.settings.backends import Kind
from antiphon.settings.schema import Settings
from tests.real_model.running import ModelServer, embedder, llama
from tests.support.serving import OpenCatalogue, Serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test ten minutes, because the model may share a slow machine with other programs."""
    for item in items:
        item.add_marker(pytest.mark.timeout(600))


def finding(llama_port: int, embedder_port: int | None = None) -> OpenCatalogue:
    """Return a function that opens a catalogue which finds the servers on these ports."""
    settings = Settings(database=":memory:", discover=True)
    ports: dict[int, Kind] = {llama_port: "llamacpp"}
    if embedder_port is not None:
        ports[embedder_port] = "vllm"  # The port of the kind vllm is its usual one.
    return lambda: Models.open(settings, ports)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="session")
def model_server(folder: Path) -> Iterator[ModelServer]:
    with llama(folder) as running:
        yield running


@pytest.fixture(scope="session")
def embedding_port(folder: Path) -> Iterator[int]:
    with embedder(folder) as port:
        yield port


@pytest.fixture(scope="session")
def server(folder: Path, model_server: ModelServer, embedding_port: int) -> Iterator[Serving]:
    """Yield an Antiphon over both; every answer is validated."""
    opened = finding(model_server.port, embedding_port)
    with Serving(folder / "state.db", opened, allow_hosts=["127.0.0.1"]) as serving:
        yield serving


@pytest.fixture(scope="session")
def client(server: Serving) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=600) as client:
        yield client
