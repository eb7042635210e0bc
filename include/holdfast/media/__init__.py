"""Media: what a snapshot of uploaded files is made of, and how its bytes lie in shards. No use case lives here."""
