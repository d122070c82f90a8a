"""What keeps the codebooks alive: first codes from data, prefix dropout, revival of the unused."""
