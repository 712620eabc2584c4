"""The endpoint that boto3, the AWS CLI and Terraform talk to: KMS, Amazon MQ, CloudTrail's LookupEvents and STS."""
