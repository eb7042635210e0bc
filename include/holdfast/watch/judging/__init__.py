"""Judges facts: pure, a small module for each family of findings."""

from holdfast.watch.judging.judge import judge as judge
