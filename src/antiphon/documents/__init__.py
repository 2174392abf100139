"""From files to text, from text to chunks, and which of them answer a query."""
