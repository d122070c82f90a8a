"""Training speech synthesis and recognition on codes: manifests, batches, the loop."""
