"""The running service: events in, decisions out, over HTTP, with a page to look at."""
