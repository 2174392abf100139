"""From a request to one stream of events: translation, assembly and the tool loop. No HTTP, no database."""
