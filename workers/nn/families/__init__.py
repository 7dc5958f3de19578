"""What a config chooses by name: activations, losses, initializers, optimizers, schedules."""
