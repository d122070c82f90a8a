"""How speech synthesis and speech recognition are judged: test lists, scores, result files."""
