"""Settings: declarations, and values from files, the environment and flags."""
