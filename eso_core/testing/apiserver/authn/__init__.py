"""Who is asking: tokens, client certificates, impersonation."""
