"""Import of the hosted tools, whose kinds the engine's tests need."""

import antiphon.tools.registry  # noqa: F401  # Fills the table of kinds.
