"""Settings of the development portal."""

portal_fqdn = "portal-dev.example.org"
portal_flavour = "dcor"
develop_enabled = True
dcor_scratch_space = 20
nginx_robots = "deny"
base_admin_tools = True
ckan_sysadmin = "admin"
ckan_sysadmin_email = "admin@example.org"
