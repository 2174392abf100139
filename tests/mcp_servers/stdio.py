"""An MCP server over stdio: `python -m tests.mcp_servers.stdio`. It needs SECRET in its environment."""

import os

from tests.mcp_servers import tools


def main() -> None:
    assert os.environ["SECRET"] == "told"
    tools.basic({}).run("stdio")


if __name__ == "__main__":
    main()
