"""Frozen values that parse and print themselves: ids, keys, LSNs, durations."""
