"""Answers for people who ask in a chat: one reply, and its form on each platform."""
