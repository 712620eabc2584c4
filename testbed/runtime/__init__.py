"""Everything that knows the container engine: its start, images, containers, clean-up."""
