"""Files of data to raw tables, and tables to labelled splits; `hpsearch.datasets` is the door."""
