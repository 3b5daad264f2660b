"""Settings of the production portal."""

portal_fqdn = "data.example.org"
ckan_site_title = "Open data of Example"
ckan_smtp_server = "mail.example.org:587"
ckan_mail_from = "portal@example.org"
ckan_email_to = "operators@example.org"
postgresql_shared_buffers = "1GB"
solr_heap = "1g"
uwsgi_workers = 8
