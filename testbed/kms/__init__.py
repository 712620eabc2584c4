"""AWS KMS behind one door, ``Kms.call``. See ``base`` for the door, ``authority`` for what is behind it."""
