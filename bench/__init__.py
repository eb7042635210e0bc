"""Measures Holdfast against the tools that people use without it, side by side on one machine: ``make bench``."""
