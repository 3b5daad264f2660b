"""Settings of the production portal."""

portal_fqdn = "data.example.org"
ckan_site_title = "Open data of Example"
# The first account; nobody can register by themselves. Its password is in the store of secrets.
ckan_sysadmin = "admin"
ckan_sysadmin_email = "operators@example.org"
# Mail of the portal to its users, and about errors. Remove these where there is no mail server.
ckan_smtp_server = "mail.example.org:587"
ckan_mail_from = "portal@example.org"
ckan_email_to = "operators@example.org"
postgresql_shared_buffers = "1GB"
solr_heap = "1g"
uwsgi_workers = 8
