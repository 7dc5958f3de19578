"""From a config file to a checked `SearchConfig`: sections, rules, and errors in one line."""
