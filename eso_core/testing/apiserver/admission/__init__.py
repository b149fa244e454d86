"""What happens to an object before it is stored: built-in plugins and webhooks."""
