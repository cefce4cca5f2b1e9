"""What changed between two versions: rows that differ (`row_difference`), paired (`pairing`), as changes (`diff`)."""
