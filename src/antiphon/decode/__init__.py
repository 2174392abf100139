"""Request bodies: decoding, and error messages in OpenAI's words."""
