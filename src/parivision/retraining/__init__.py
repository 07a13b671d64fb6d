"""Retraining when an alert fires: at most once in a while, and never twice at a time."""
