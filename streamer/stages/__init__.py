"""The loops of the three stages, over ports."""
