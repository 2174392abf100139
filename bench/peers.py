"""Other servers with the Responses API, each installed in its own environment.

Install them with `python -m bench.peers`.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.servers import HERE, NotStarted, free_port, started
from bench.workloads import Target

ENVIRONMENTS = HERE / ".peers"
OLDEST_FOR_OGX = (3, 12)


@dataclass(frozen=True)
class Peer:
    """A server to compare with."""

    name: str
    """The name in the results."""
    packages: tuple[str, ...]
    """The packages to install, that of the server first."""
    program: str
    """The program of the server."""

    @property
    def wanted(self) -> str:
        """The version to install."""
        return self.packages[0].partition("==")[2]

    @property
    def version(self) -> str | None:
        """The installed version, which may differ from `wanted`, or None."""
        name = self.packages[0].partition("==")[0].partition("[")[0]
        places = [str(place) for place in self.folder.glob("lib/python*/site-packages")]
        found = list(importlib.metadata.distributions(name=name, path=places))
        return found[0].version if found else None

    @property
    def folder(self) -> Path:
        """The environment of the server."""
        return ENVIRONMENTS / self.name

    @property
    def path(self) -> Path:
        """The path of the program."""
        return self.folder / "bin" / self.program


PEERS = (
    Peer("agentic-api", ("agentic-api==0.9.0",), "agentic-server"),
    Peer("litellm", ("litellm[proxy]==1.106.2",), "litellm"),
    Peer("ogx", ("ogx==1.5.0", "sqlite-vec", "chardet", "pypdf"), "ogx"),
)


def install() -> None:
    """Install every peer that this machine's Pythons support, and print the outcome."""
    for peer in PEERS:
        python = _python(OLDEST_FOR_OGX if peer.name == "ogx" else (3, 10))
        if peer.path.exists() and peer.version == peer.wanted:
            print(f"{peer.name}: already installed")
        elif python is None:
            print(f"{peer.name}: skipped, because it requires Python 3.12 or later")
        else:
            print(f"{peer.name}: installing", flush=True)
            subprocess.run([python, "-m", "venv", str(peer.folder)], check=True)
            pip = [str(peer.folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *peer.packages]
            found = subprocess.run(pip, check=False)
            print(f"{peer.name}: {'installed' if not found.returncode else 'failed to install'}")


def _python(oldest: tuple[int, int]) -> str | None:
    """Return a Python of at least this version, preferably the current one."""
    if sys.version_info >= oldest:
        return sys.executable
    for minor in (13, 12):
        for name in (f"python3.{minor}", *_pyenv(minor)):
            found = shutil.which(name)
            works = (
                found
                and not subprocess.run([found, "--version"], check=False, capture_output=True).returncode
            )
            if found and works:
                return found
    return None


def _pyenv(minor: int) -> list[str]:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [str(path) for path in sorted(root.glob(f"3.{minor}.*/bin/python3"))]


@contextmanager
def running(stub_port: int, folder: str) -> Iterator[list[Target]]:
    """Run every installed peer on the backend; print the ones that don't run."""
    with ExitStack() as stack:
        targets = []
        for peer in PEERS:
            if not peer.path.exists():
                print(f"{peer.name} is not installed; run: python -m bench.peers")
                continue
            start = {"agentic-api": _agentic_api, "litellm": _litellm, "ogx": _ogx}[peer.name]
            try:
                targets.append(stack.enter_context(start(peer, stub_port, folder)))
            except NotStarted as error:
                print(f"{peer.name} failed to start: {error}")
        yield targets


@contextmanager
def _agentic_api(peer: Peer, stub_port: int, folder: str) -> Iterator[Target]:
    """Run agentic-api, which proxies a Responses stream of its backend and stores it."""
    port = free_port()
    command = [str(peer.path), "--llm-api-base", f"http://127.0.0.1:{stub_port}", "--skip-llm-ready-check"]
    command += ["--gateway-host", "127.0.0.1", "--gateway-port", str(port)]
    command += ["--db-url", f"sqlite://{folder}/agentic.db?mode=rwc"]
    env = {"OPENAI_API_KEY": "none", "HOME": folder, "RUST_LOG": "error"}
    with started(command, port, env=env, folder=folder, probe="/health") as server:
        yield Target(peer.name, server)


@contextmanager
def _litellm(peer: Peer, stub_port: int, folder: str) -> Iterator[Target]:
    """Run LiteLLM's bridge to Chat Completions, which here has no database."""
    port = free_port()
    config = {
        "model_list": [
            {
                "model_name": name,
                "litellm_params": {
                    "model": f"custom_openai/{name}",
                    "api_base": f"http://127.0.0.1:{stub_port}/v1",
                    "api_key": "none",
                },
            }
            for name in ("burst-200", "burst-1", "paced-250-20")
        ],
        "litellm_settings": {"telemetry": False},
    }
    path = Path(folder) / "litellm.yaml"
    path.write_text(json.dumps(config))
    command = [str(peer.path), "--config", str(path), "--host", "127.0.0.1", "--port", str(port)]
    env = {"LITELLM_LOG": "ERROR", "HOME": folder, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    env["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"
    with started(command, port, env=env, folder=folder, probe="/health/liveliness", patience=180) as server:
        yield Target(peer.name, server, stores=False)


@contextmanager
def _ogx(peer: Peer, stub_port: int, folder: str) -> Iterator[Target]:
    """Run OGX with its OpenAI provider, over Chat Completions."""
    port = free_port()
    path = Path(folder) / "ogx.yaml"
    path.write_text(json.dumps(_ogx_config(stub_port, port, folder)))
    command = [str(peer.path), "run", str(path), "--port", str(port), "--insecure"]
    env = {"HOME": folder, "OPENAI_API_KEY": "none"}
    # OGX downloads a tokenizer at startup; LiteLLM's package includes the same one.
    for found in ENVIRONMENTS.glob("litellm/lib/*/site-packages/litellm/litellm_core_utils/tokenizers"):
        env["TIKTOKEN_CACHE_DIR"] = str(found)
    with started(command, port, env=env, folder=folder, probe="/v1/health", patience=240) as server:
        yield Target(peer.name, server, "openai/")


def _ogx_config(stub_port: int, port: int, folder: str) -> dict[str, object]:
    """Return the parts of OGX's distribution `starter` that responses need."""
    persistence = {
        "table_name": "responses",
        "backend": "sql",
        "max_write_queue_size": 10000,
        "num_writers": 4,
    }
    vectors = {"namespace": "vectors", "backend": "kv"}
    files = {"table_name": "files", "backend": "sql"}
    inference = {"api_key": "none", "base_url": f"http://127.0.0.1:{stub_port}/v1"}
    return {
        "version": 2,
        "distro_name": "bench",
        "apis": ["inference", "responses", "vector_io", "files", "tool_runtime"],
        "providers": {
            "inference": [
                {"provider_id": "openai", "provider_type": "remote::openai", "config": inference},
            ],
            # Responses require these providers at startup, but no request uses them.
            "vector_io": [_ogx_provider("sqlite-vec", db_path=f"{folder}/vec.db", persistence=vectors)],
            "files": [_ogx_provider("localfs", storage_dir=f"{folder}/files", metadata_store=files)],
            "tool_runtime": [_ogx_provider("file-search")],
            "responses": [
                _ogx_provider("builtin", persistence={"responses": persistence}),
            ],
        },
        "storage": {
            "backends": {
                "kv": {"type": "kv_sqlite", "db_path": f"{folder}/ogx_kv.db"},
                "sql": {"type": "sql_sqlite", "db_path": f"{folder}/ogx.db"},
            },
            "stores": {
                "metadata": {"namespace": "registry", "backend": "kv"},
                "inference": {**persistence, "table_name": "inference", "enabled": True},
                "conversations": {"table_name": "conversations", "backend": "sql"},
                "prompts": {"table_name": "prompts", "backend": "sql"},
                "connectors": {"table_name": "connectors", "backend": "sql"},
            },
        },
        "registered_resources": {"models": []},
        "server": {"port": port, "host": "127.0.0.1"},
    }


def _ogx_provider(name: str, **config: object) -> dict[str, object]:
    return {"provider_id": name, "provider_type": f"inline::{name}", "config": config}


if __name__ == "__main__":
    install()
