"""Import maps: well-known shapes of data by name, and what becomes of each in Segue's words."""
