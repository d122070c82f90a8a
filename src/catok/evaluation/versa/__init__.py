"""To and from the VERSA toolkit: `export` writes what it scores, `results` reads its figures."""
