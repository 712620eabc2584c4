"""Renderers of a run: terminal, JSON, one HTML page, JUnit XML. They compute nothing."""
