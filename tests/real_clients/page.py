"""Examples and settings in `docs/clients.md`."""

from tests.test_docs import DOCUMENTED_URL, FENCE, ROOT

INSTALLS = {
    "pip install openai-agents": "openai_agents",
    "pip install langchain-openai": "langchain",
    "pip install pydantic-ai-slim[openai]": "pydantic_ai",
    "pip install ogx-client": "ogx",
    "npm install openai": "openai_node",
    "npm install ai @ai-sdk/openai": "vercel_ai",
}
"""The clients, by the page's instruction to install them."""


def examples() -> list[tuple[str, str, str]]:
    """Return the programs that begin with the installation of a client: its name, language and text."""
    found = []
    for language, text in blocks():
        mark, _, install = text.partition("\n")[0].partition(" ")
        if language in ("python", "js") and mark in ("#", "//"):
            found.append((INSTALLS[install], language, text))
    return found


def codex_configuration(url: str, model: str, *, websockets: bool) -> str:
    """Return the page's configuration of Codex, for another server and model."""
    text = next(text for language, text in blocks() if text.startswith("# ~/.codex/config.toml\n"))
    assert "supports_websockets = true\n" in text
    if not websockets:
        text = text.replace("supports_websockets = true\n", "")
    return text.replace(DOCUMENTED_URL, url).replace("antiphon/sample", model)


def blocks() -> list[tuple[str, str]]:
    """Return the fenced blocks, each with its language."""
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    return [(match[1], match[2]) for match in FENCE.finditer(page)]
