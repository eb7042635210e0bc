"""Evidence of drills and restore checks: stored, signed, listed, and shown to people."""
