"""Gauges and timings with documented names: what the watch knows, for Prometheus, StatsD and OpenTelemetry."""
