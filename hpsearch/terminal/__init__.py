"""What a person types and reads on a terminal; `hpsearch.cli` is the door."""
