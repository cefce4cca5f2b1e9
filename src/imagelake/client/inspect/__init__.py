"""Answers about a lake: datasets and versions (`listing`, `show`), runs, histories of tables, `verify`."""
