"""The kinds of hosted tools, which their folders register."""

import antiphon.tools.registry  # noqa: F401  # Fills the table of kinds.
