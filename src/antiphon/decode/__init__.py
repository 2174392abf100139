"""Decoding of request bodies, with error messages in OpenAI's form."""
