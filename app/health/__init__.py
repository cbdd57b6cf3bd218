"""Whether this process runs, and whether it can serve."""
