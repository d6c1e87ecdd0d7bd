"""What a file is taken for, and why."""
