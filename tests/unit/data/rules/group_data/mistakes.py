"""Settings of the environment: each is right alone."""

portal_fqdn = "data.example.org"
secrets_folder = "secrets/mistakes"

ckan_site_id = "operators"
ckan_sysadmin = "operators"
ckan_smtp_user = "portal"
ckan_default_views = ["image_view", "video_view"]
ckan_options = {"ckan.site_about": "About", "ckan.max_resource_size": "5000", "smtp.password": "clear text"}
ckan_extensions = [
    {"requirements": ["ckanext-Pages==0.5.1 --hash=sha256:" + "0" * 64]},
    {"requirements": ["ckanext_pages==0.5.2 --hash=sha256:" + "1" * 64]},
]

uwsgi_workers = 100
solr_version = "9.9.0"
postgresql_shared_buffers = "4GB"
tls_certificate_file = "data.example.org.pem"
