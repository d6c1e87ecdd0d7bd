"""The lake: Delta tables with one writer, and snapshots of them."""
