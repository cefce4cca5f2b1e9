"""What benchmarks share: their declaration, measured processes, the state of the machine, tables, uploads and lakes."""
