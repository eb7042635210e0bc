"""The demo: databases of the two example applications, and connections to them."""
