"""Pure tensor modules: no files, no devices, no configuration beyond each module's own dataclass."""
