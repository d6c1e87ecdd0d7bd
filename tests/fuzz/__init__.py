"""Readers are given whatever bytes there are."""
