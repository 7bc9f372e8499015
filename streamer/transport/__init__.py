"""Links between the stages."""
