"""Amazon MQ as documented: frozen data with its source and date, and no I/O.

Nothing else in the project repeats a value that stands here.

Source keys used in this package (the page, and the age of the edition read):

=========  =====================================================================
DP         "Data protection in Amazon MQ", edition of 2025
DP-NEW     the same page, edition of February 2026
GUIDE22    Amazon MQ Developer Guide, repository edition of May 2022
WWR        "Using Amazon MQ for RabbitMQ" (listener ports), 2026
API        Amazon MQ API model 2017-11-27 as in botocore, August 2026
LIM        "Quotas in Amazon MQ", 2026
VER        "Managing Amazon MQ engine versions", both engines, 2026
SSLAUTH    "SSL certificate authentication for RabbitMQ", 2026
KMSERR     "RabbitMQ on Amazon MQ: Invalid AWS Key Management Service Key", 2026
EBS        "How Amazon EBS uses AWS KMS", AWS KMS Developer Guide, 2023
STOR       "Storage types", Amazon MQ for ActiveMQ, 2026
XSD        amazon-mq-active-mq-5.19.1.xsd, linked from "Amazon MQ for ActiveMQ broker configurations", 2026
PERM       "Permitted elements", "Permitted attributes", "Permitted collections", "Child element details", 2026
CONF       "Configurable values", Amazon MQ for RabbitMQ, 2026
LIMITS     "Resource limit configuration" and "Maximum resource limit", Amazon MQ for RabbitMQ, 2026
MTLS       "Configuring mTLS", its tutorials, and "ARN support in RabbitMQ configuration", 2026
AMQPCLIENT "AMQP client SSL configuration", Amazon MQ for RabbitMQ, 2026
TF         terraform-provider-aws, resource ``aws_mq_broker``, 2026
=========  =====================================================================
"""
