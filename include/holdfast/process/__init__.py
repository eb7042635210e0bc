"""Programs that the engine runs: started with an environment made for them, never left behind."""
