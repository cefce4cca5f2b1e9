"""Zip archives by ranges: where the directory ends (`end_records`), what it lists, and members as bytes."""
