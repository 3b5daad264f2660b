"""One host that has everything; the mistakes are in group_data/mistakes.py."""

portal = [("data", {"address": "192.0.2.20"})]
postgresql = redis = solr = portal
