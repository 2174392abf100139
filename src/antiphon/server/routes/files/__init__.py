"""Routes of files, uploads and vector stores."""
