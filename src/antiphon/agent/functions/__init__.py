"""Functions as tools: schemas, arguments and execution."""
