"""A benchmark's result for people and programs. Renderers do not import each other."""
