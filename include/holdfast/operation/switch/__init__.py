"""The switch: a restore point takes the place of what is live, which is kept and can be switched back to."""
