"""A bundle for whoever is to help: what is known of a configuration, and decisions to be replayed.

`bundle` gathers it, `archive` writes and reads it, `replay` makes a decision a second time.
"""
