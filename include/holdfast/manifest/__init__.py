"""The manifest: what a restore point holds, and what a restore of it must reproduce."""
