"""Forward and backward passes of a stack of networks, and what is measured on the way."""

__all__ = ["diagnostics", "evaluation", "network", "products", "regularizers", "stack"]
