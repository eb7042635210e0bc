"""Recovery environments: throwaway servers and confined commands, where restores are tried."""
