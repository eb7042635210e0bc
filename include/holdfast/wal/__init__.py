"""The write-ahead log: received from a server, its timelines followed, and what of it is there and what is missing."""
