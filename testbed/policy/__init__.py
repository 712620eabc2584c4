"""AWS's policy language: parse documents, decide requests. Pure, with the standard library alone.

::

    from testbed.policy.evaluate import ADMINISTRATOR, Policies, Request, evaluate
    from testbed.policy.language import parse
    from testbed.policy.principals import Principal

    key_policy = parse(text, "resource")
    request = Request(Principal.of(caller_arn), "kms:Decrypt", key_arn)
    decision = evaluate(request, Policies([ADMINISTRATOR], key_policy, delegates=True))

Source keys used in this package (the page, and the age of the edition read):

=========  =====================================================================
OPERATORS  "IAM JSON policy elements: Condition operators", IAM User Guide, 2022 and 2026
MULTI      "Conditions with multiple context keys or values", "Single-valued vs.
           multivalued context keys" and "Multivalued context key examples", IAM, 2026
VARIABLES  "IAM policy elements: Variables and tags", IAM, 2022
GRAMMAR    "Grammar of the IAM JSON policy language", IAM, 2022
PRINCIPAL  "AWS JSON policy elements: Principal" and "NotPrincipal", IAM, 2022
RESOURCE   "IAM JSON policy elements: Resource", IAM, 2026
LOGIC      "Policy evaluation logic" with its cross-account page, IAM, 2022
SESSIONS   "Policies and permissions in IAM", section "Session policies", IAM
DENIED     "Troubleshoot access denied error messages", IAM, 2022
GLOBAL     "AWS global condition context keys", IAM, 2026
KMSAUTH    "Actions, resources, and condition keys for AWS KMS", 2026
KMSKEYS    "AWS KMS condition keys", AWS KMS Developer Guide, 2022
MQAUTH     "Actions, resources, and condition keys for Amazon MQ", 2026
=========  =====================================================================
"""
