"""Encryption in the age v1 format, Ed25519 signatures, and the files that hold their keys."""
