"""Whole-table suites: what every stored row of silver must fulfil, declared once, judged on Spark.

`tables` declares the expectations of each table, from its TableSpec, the row rules and a dataset's settings; `frames`
makes the frames they are judged on; `own` finds the suites somebody wrote for a dataset; `judge` runs them all.
"""
