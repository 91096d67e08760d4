"""Event studies in finance."""
