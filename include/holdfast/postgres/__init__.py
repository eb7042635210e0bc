"""PostgreSQL: finding its programs, reading a database in one snapshot, dumping it, restoring it, judging both."""
