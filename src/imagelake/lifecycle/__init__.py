"""A bucket's lifecycle rules, without harm to tables or to other programs' rules.

`bucket_rules` says what is wanted, `rules_document` reads and writes S3's form, `rules_plan` compares, `estimate` says
what would go, `apply_rules` applies and verifies.
"""
