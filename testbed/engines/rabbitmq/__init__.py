"""RabbitMQ: what a node of it is made of, and what a customer may configure."""
