"""Great Expectations: the one file that imports it (`validate`), the project in the lake, and its Data Docs."""
