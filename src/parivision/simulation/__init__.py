"""Rollouts that are made up or replayed, to see what the verdict would say of them."""
