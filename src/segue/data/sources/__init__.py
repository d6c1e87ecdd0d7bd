"""Where rows come from beside files: object stores, databases, frames; each becomes parts like a file's."""
