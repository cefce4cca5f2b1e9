"""The verbs, one file for each group, imported when they are called."""
