"""Moderation: checks of the settings, and models whose input and output they judge."""
