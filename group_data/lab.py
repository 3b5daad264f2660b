"""Settings of the lab: a throwaway portal with a first sysadmin."""

portal_fqdn = "portal.test"
ckan_sysadmin = "admin"
ckan_sysadmin_email = "admin@portal.test"
ckan_sysadmin_token = True
