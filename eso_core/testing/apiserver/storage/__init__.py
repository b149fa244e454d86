"""Objects as bytes under one revision counter: tables, watch windows, snapshot reads, the state file."""
