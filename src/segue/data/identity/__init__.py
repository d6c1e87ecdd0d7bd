"""Who is who: ids as they are written, visitors who became users, robots, sessions."""
