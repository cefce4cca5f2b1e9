"""Keeping a lake in order: what killed runs left behind."""
