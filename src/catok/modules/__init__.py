"""Pure tensor modules: no files, no devices; each module's configuration stands beside it."""
