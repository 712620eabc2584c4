"""Rendering of a campaign: terminal, Markdown and HTML. It computes nothing."""
