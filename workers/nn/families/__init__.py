"""What a config chooses by name: activations, losses, initializers, optimizers, schedules."""

__all__ = [
    "activations",
    "families",
    "initializers",
    "losses",
    "optimizers",
    "schedules",
]
