"""Delta tables: commits of small work by delta-rs (`commit`), of large work by Spark (`store`), pinned reads."""
