"""Pages for people: view models, templates and their rendering, over the records of services and store."""
