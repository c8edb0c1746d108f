"""The checks that a call passes before its cost is looked at: one pure file each, with its own settings."""
