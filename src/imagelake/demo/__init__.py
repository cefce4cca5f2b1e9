"""The demo: a generated sample, and the way through the lake that it shows."""
