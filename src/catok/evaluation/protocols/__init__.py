"""How speech synthesis and recognition are scored: test lists, scores, result files."""
