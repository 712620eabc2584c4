"""The AWS-compatible endpoint for boto3, the AWS CLI and Terraform."""
