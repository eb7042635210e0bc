"""The report's parts: each makes a piece of one HTML page from evidence."""
