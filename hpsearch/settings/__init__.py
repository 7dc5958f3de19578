"""The sections of a config and their rules; `hpsearch.config.config` is the door."""
