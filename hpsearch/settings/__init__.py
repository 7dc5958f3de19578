"""The sections of a config and their rules; `hpsearch.config` is the door."""
