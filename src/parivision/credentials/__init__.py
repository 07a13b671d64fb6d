"""Passwords, tokens and addresses: how they are read, and that nobody is shown them."""
