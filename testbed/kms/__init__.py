"""AWS KMS behind one door, ``Kms.call``. See ``base``."""
