"""The token language model that speech synthesis and recognition share."""
