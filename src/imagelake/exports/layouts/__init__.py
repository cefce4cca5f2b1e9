"""The formats that other tools read, a module each, named like the format."""
