"""What runs at night: training, releases, the atomic switch between them, and the follower of a running service."""
