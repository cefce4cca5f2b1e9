"""Benchmarks: `python -m benchmarks NAME|all --small|--full` measures and prints a table.

Each module beside this file declares one `BENCHMARK`; `harness` is what they share, `results` holds committed tables.
"""
