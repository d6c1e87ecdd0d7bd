"""Counters and rates as of a moment."""
