"""What a recording is and where to find it: for training, scoring and the commands alike."""
