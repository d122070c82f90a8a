"""WebSockets: one idea a file."""
