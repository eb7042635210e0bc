"""The embedded servers and `make run`: everything on loopback, all of its state in one folder."""
