"""Opening, checking and reading the search's SQLite file; `hpsearch.store` is the door."""
