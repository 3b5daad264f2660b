"""Twenty settings, each wrong in a way of its own."""

portal_fqdn = "https://data.example.org/"
portal_flavour = "dkan"
portal_upload_limit = 0
redis_port = 70000
uwsgi_workers = "many"
uwsgi_harakiri = 20.5
nginx_ipv6 = "perhaps"
ckan_plugins = "activity"
ckan_options = {"ckan.site_about": 7}
ckan_extensions = [{"requirement": ["ckanext-x"]}]
ckan_site_title = "Two\nlines"
firewall_clients = ["192.0.2.9", "monitor"]
nginx_blocked_paths = ["wp-(admin"]
tls_renew_before = "2026-02-30"
postgresql_role = "postgres"
solr_bind = "0.0.0.0"
ckan_secret_key = "clear text"
redis_maxmemroy = "1gb"
ssh_usr = "deploy"
_sudo_usr = "root"
