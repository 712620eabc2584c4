"""AWS KMS: who may use a key, its states, policies and grants, over a LocalStack container."""
