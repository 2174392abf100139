"""Built-in sample model, and examples of JSON Schemas."""
