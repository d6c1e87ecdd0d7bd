"""Tuning: better parameters, looked for on people cut from the training part, within a budget in seconds."""
