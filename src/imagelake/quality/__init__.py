"""What is judged: rows by rules (`rules`, `catalogue/`), drafts by thresholds (`gate`), tables by suites (`suites/`).

The results are shown as Data Docs by Great Expectations (`expectations/`).
"""
