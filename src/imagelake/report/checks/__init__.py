"""Whether a version is good: the verdict in one sentence, the gate's numbers, the rules that fired and their rows."""
