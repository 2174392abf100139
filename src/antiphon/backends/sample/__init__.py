"""The built-in sample model, and examples of JSON schemas."""
