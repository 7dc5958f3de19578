"""The parts of the HTML report; `hpsearch.report` is the door."""
