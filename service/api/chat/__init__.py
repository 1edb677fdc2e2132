"""Slash commands and mentions of chat platforms, signed requests in, messages out."""
