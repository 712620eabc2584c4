"""The account around the broker: IAM, kept by moto, and the sessions of STS.

``moto_backends`` runs an operation in moto and keeps what it changed. Beside it ``store`` keeps a
``directory``: what signatures and policies are checked with, readable without moto.
"""
