"""What happened, and who may look: the hub's events."""
