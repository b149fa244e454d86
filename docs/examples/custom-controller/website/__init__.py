"""An operator that serves Websites: one Deployment each."""
