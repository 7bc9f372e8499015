"""Real-time, zero-shot inspection of endless textured webs."""
