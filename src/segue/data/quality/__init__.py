"""What the lake is held to."""
