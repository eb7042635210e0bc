"""Where backups lie: a local directory or an object store, behind one small Protocol."""
