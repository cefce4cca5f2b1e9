"""What to do about a store that refuses, whoever asked it: boto3 here or delta-rs for the tables."""

TRUST = "s3.ca_bundle (AWS_CA_BUNDLE) names whom to trust"
OTHER_HOST = "s3.endpoint must name the host that the certificate is for"
REGION = "s3.region (AWS_REGION) names the bucket's region"
NO_KEYS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
DENIED = "these credentials may not: docs/serving.md lists what each role needs"
