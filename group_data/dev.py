"""Settings of the development portal."""

portal_fqdn = "portal-dev.example.org"
base_admin_tools = True
ckan_sysadmin = "admin"
ckan_sysadmin_email = "admin@example.org"
