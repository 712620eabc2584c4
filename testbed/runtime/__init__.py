"""The only room that knows the container engine: finding or starting it, images, containers, clean-up."""
