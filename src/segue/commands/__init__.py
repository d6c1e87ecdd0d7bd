"""The commands: each is a method of `Project` and a way to print what it returns."""
