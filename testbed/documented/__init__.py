"""Amazon MQ as documented: frozen data, each value with its source, and no I/O.

Nothing else in the project repeats a value that is defined here. ``fips`` is NIST's rather than
Amazon MQ's: the data-protection page names FIPS 140-3 and leaves the algorithms to NIST.

``SOURCES`` has every key by which docstrings and comments, here and elsewhere, cite a page.
"""

# The key, the page, and the age of the edition that was read.
SOURCES = {
    "DP": '"Data protection in Amazon MQ", edition of 2025',
    "DP-NEW": '"Data protection in Amazon MQ", edition of February 2026',
    "GUIDE22": "Amazon MQ Developer Guide, repository edition of May 2022",
    "WWR": '"Using Amazon MQ for RabbitMQ" (listener ports), 2026',
    "API": "Amazon MQ API model 2017-11-27 as in botocore, August 2026",
    "LIM": '"Quotas in Amazon MQ", 2026',
    "VER": '"Managing Amazon MQ engine versions", both engines, 2026',
    "RABBIT4": '"RabbitMQ 4", Amazon MQ for RabbitMQ, editions of late 2025 and 2026',
    "RDEF": '"Amazon MQ for RabbitMQ broker defaults", 2026',
    "SSLAUTH": '"SSL certificate authentication for RabbitMQ", 2026',
    "KMSERR": '"RabbitMQ on Amazon MQ: Invalid AWS Key Management Service Key", 2026',
    "EBS": '"How Amazon EBS uses AWS KMS", AWS KMS Developer Guide, 2023',
    "STOR": '"Storage types", Amazon MQ for ActiveMQ, 2026',
    "XSD": "amazon-mq-active-mq-5.19.1.xsd, linked from the configuration pages, 2026",
    "PERM": '"Permitted elements", "attributes", "collections", "Child element details", 2026',
    "CONF": '"Configurable values", Amazon MQ for RabbitMQ, 2026',
    "LIMITS": '"Resource limit configuration" and "Maximum resource limit" for RabbitMQ, 2026',
    "MTLS": '"Configuring mTLS", its tutorials, "ARN support in RabbitMQ configuration", 2026',
    "AMQPCLIENT": '"AMQP client SSL configuration", Amazon MQ for RabbitMQ, 2026',
    "TAGGING": '"Tag naming limits and requirements", Tagging AWS Resources User Guide, 2026',
    "MQAUTH": '"Actions, resources, and condition keys for Amazon MQ", 2026',
    "MQIAM": '"API authentication and authorization for Amazon MQ", developer guide, 2026',
    "MQSLR": '"Using service-linked roles for Amazon MQ", developer guide, 2026',
    "MQLOGS": '"Configuring Amazon MQ for ActiveMQ logs", developer guide, 2026',
    "MQMETRICS": '"Available CloudWatch metrics" for ActiveMQ and RabbitMQ, developer guide, 2026',
    "SMKMS": '"Secret encryption and decryption in AWS Secrets Manager", guide, samples of 2018',
    "IAMAUTH": '"Actions, resources, and condition keys for AWS IAM", 2026',
    "TF": "terraform-provider-aws, resource ``aws_mq_broker``, 2026",
    "CTG": "AWS CloudTrail User Guide: record contents, userIdentity, log file names",
    "CTAPI": "CloudTrail API model 2013-11-01 as in botocore, August 2026",
    "KEYSTATE": '"Key states of AWS KMS keys", AWS KMS Developer Guide, 2026',
    "KEYSPEC": '"Key spec reference", AWS KMS Developer Guide, and the KMS API model, 2026',
    "IMPORT": '"Importing key material", AWS KMS Developer Guide, and the KMS API model, 2026',
    "KMSG": '"Examples of AWS KMS log entries", AWS KMS Developer Guide, 2023 and 2026',
}
