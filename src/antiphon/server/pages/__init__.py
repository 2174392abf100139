"""Pages for people under `/viewer`: sessions, forms, lists, live rows."""
