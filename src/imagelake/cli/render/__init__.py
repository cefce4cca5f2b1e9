"""Answers and reports for a terminal; each function takes the document that --json prints."""
