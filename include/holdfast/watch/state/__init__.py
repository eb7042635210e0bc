"""What the watch remembers from round to round: signed records in the store, and what follows from them."""
