"""Files: YAML and config.json to domain nouns."""
