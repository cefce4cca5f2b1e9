"""What every part uses and nothing of imagelake stands below: digests, paths of uploads, words, the log."""
