"""A model of how scores follow from params and epochs; `hpsearch.samplers` is the door."""
