"""The brokers' engines: the files, images and readiness of their nodes."""
