"""Another valid value for each setting and secret, for the tests that change them all on deployed hosts."""

from __future__ import annotations

from typing import Any

from settings.host import COMPONENTS


def configurable() -> dict[str, Any]:
    """Full names of all settings that people may set, with their types."""
    return {
        f"{component.prefix}_{name}": info.annotation
        for component in COMPONENTS
        for name, info in component.model_fields.items()
        if component.kind_of(name) not in ("derived", "internal")
    }


EXTENSION = {
    "requirements": [
        "ckanext-hierarchy==1.2.0 --hash=sha256:1344430ce8f3d48277b254f8e36b60949a1d0431ce86b104b79eb2305a6f3092"
    ],
    "plugins": ["hierarchy_display"],
    "options": {"ckan.feeds.author_name": "hierarchy"},
}

# Another valid value for each setting of any portal. Files and the other Solr are made by the test.
OTHER: dict[str, Any] = {
    "portal_fqdn": "other.portal.test",
    "portal_upload_limit": 77,
    "base_admin_tools": True,
    "base_leave_behind": ["/var/lib/ckan/default"],
    "base_take_over": ["portal"],
    "base_journal_limit": "150M",
    "patching_enabled": False,
    "patching_download_time": "2098-01-01",
    "patching_upgrade_time": "2098-01-01 6:00",
    "patching_reboot": True,
    "patching_reboot_time": "03:30",
    "patching_leave_units": ["supervisor.service"],
    "patching_mail_to": "operators@portal.test",
    "patching_mail_report": "on-change",
    "patching_mail_from": "hosts@portal.test",
    "patching_smtp_server": "127.0.0.1:2525",
    "patching_smtp_security": "tls",
    "patching_smtp_trust": "/etc/ssl/certs/other.crt",
    "patching_smtp_user": "mailer",
    "firewall_clients": ["192.0.2.9"],
    "postgresql_port": 5433,
    "postgresql_role": "other_role",
    "postgresql_database": "other_database",
    "postgresql_max_connections": 90,
    "postgresql_shared_buffers": "100MB",
    "redis_port": 6380,
    "redis_maxmemory": "200mb",
    "solr_version": "9.10.0",
    "solr_sha512": "",
    "solr_mirror": "http://127.0.0.1:8099",
    "solr_port": 8984,
    "solr_heap": "400m",
    "solr_core": "other",
    "ckan_site_id": "other",
    "ckan_site_title": "Other 100 %",
    "ckan_locale": "de",
    "ckan_plugins": ["activity", "text_view", "tracking"],
    "ckan_default_views": ["text_view"],
    "ckan_extensions": [EXTENSION],
    "ckan_options": {"ckan.site_about": "About 100 %"},
    "ckan_storage_path": "/var/lib/ckan/other",
    "ckan_webassets_path": "/var/lib/ckan/other-webassets",
    "ckan_start_seconds": 170,
    "ckan_reindex_seconds": 1800,
    "ckan_database_leave_behind": "127.0.0.1:5432/ckan_default",
    "ckan_api_token_own_secret": True,
    "ckan_sysadmin": "other-admin",
    "ckan_sysadmin_email": "other@portal.test",
    "ckan_sysadmin_token": False,
    "ckan_smtp_server": "127.0.0.1:25",
    "ckan_smtp_starttls": False,
    "ckan_smtp_user": "mailer",
    "ckan_mail_from": "portal@portal.test",
    "ckan_email_to": "operator@portal.test",
    "uwsgi_port": 8081,
    "uwsgi_workers": 2,
    "uwsgi_harakiri": 3600,
    "uwsgi_max_requests": 500,
    "uwsgi_socket_timeout": 400,
    "uwsgi_scratch_path": "/var/lib",
    "workers_default": 2,
    "workers_dcor_short": 2,
    "workers_dcor_normal": 2,
    "workers_dcor_long": 2,
    "workers_stop_seconds": 50,
    "scheduled_times": {"tracking": "05:00", "run-jobs-dc-serve": "05:30"},
    "scheduled_limit": 3600,
    "scheduled_modified_days": 2,
    "scheduled_multipart_days": 6,
    "scheduled_draft_days": 22,
    "tls_source": "provided",
    "tls_certificate_file": "",
    "tls_days": 365,
    "tls_key_bits": 2048,
    "tls_country": "DE",
    "tls_state": "Bavaria",
    "tls_locality": "Erlangen",
    "tls_organization": "Example",
    "tls_email": "tls@portal.test",
    "tls_addresses": ["192.0.2.7", "2001:db8::7"],
    "tls_warn_days": 3000,
    "tls_renew_before": "2020-01-01",
    "nginx_aliases": ["alias.portal.test"],
    "nginx_ipv6": False,
    "nginx_hsts": 300,
    "nginx_robots": "deny",
    "nginx_cache_dir": "/var/cache/other-nginx",
    "nginx_cache_size": 100,
    "nginx_cache_keys": 10,
    "nginx_cache_validity": 60,
    "nginx_download_buffer": 1000,
    "nginx_timeout": 50,
    "nginx_upload_timeout": 400,
    "nginx_static_paths": ["base/"],
    "nginx_blocked_paths": ["wp-admin"],
    "nginx_read_paths": ["about$"],
    "nginx_write_paths": ["api/3/"],
    "nginx_blocked_extensions": ["php"],
    "nginx_dcor_aid_minimum": "0.15.0",
}
# These stop the run by design.
STOPS: dict[str, Any] = {"base_minimum_memory": 99999999, "base_minimum_space": 9999999}
# From the secret store; another value comes from the environment.
SECRETS = (
    "postgresql_password",
    "redis_password",
    "ckan_secret_key",
    "ckan_api_token_secret",
    "ckan_sysadmin_password",
    "ckan_smtp_password",
    "patching_smtp_password",
    "tls_key",
)
# Of a host that reaches the world by a proxy only: test_proxy.
PROXY = ("base_proxy", "base_no_proxy")
# CKAN out of its package: test_deb.
PACKAGE = ("ckan_source", "ckan_deb_url", "ckan_deb_sha256")
# What only a DCOR portal has; where the inventory has MinIO, and where the object storage is an external one.
OTHER_DCOR: dict[str, Any] = {
    "dcor_scratch_path": "/scratch",
    "dcor_scratch_space": 2,
    "dcor_mounts": ["/scratch"],
    "dcor_hdf5_file_locking": False,
    "dcor_condense": False,
    "dcor_intra_dataset_basins": False,
    "dcor_anonymous_listing": False,
    "dcor_public_datasets": False,
    "dcor_supplements": "/srv/supplements",
    "dcor_licenses": "licenses_medical",
    "dcor_notify_user_create": False,
    "dcor_session_seconds": 3600,
    "dcor_page_cache_seconds": 60,
}
OTHER_MINIO: dict[str, Any] = {
    "minio_version": "RELEASE.2099-01-01T00-00-00Z",
    "minio_sha256": "",
    "minio_mirror": "http://127.0.0.1:8098",
    "minio_port": 9100,
    "minio_console_port": 9101,
    "minio_data": "/srv/other-minio",
    "minio_mounts": ["/srv/other-minio"],
    "minio_root_user": "other-root",
    "minio_access_key_id": "other-key",
}
OTHER_EXTERNAL: dict[str, Any] = {
    "object_storage_endpoint": "https://portal.test:9200",
    "object_storage_access_key_id": "other-storage",
    "object_storage_bucket": "other-{organization_id}",
    "object_storage_ssl_verify": False,
    "object_storage_ca_file": "",
}
SECRETS_MINIO = ("minio_root_password", "minio_secret_access_key")
SECRETS_EXTERNAL = ("object_storage_secret_access_key",)
# Of MinIO on a host of its own: test_object_storage_apart.
APART = ("minio_certificate_file", "minio_tls_key", "object_storage_fqdn")
# Of a development host: test_develop; another remote: tests/unit/test_git.py.
DEVELOP = ("develop_enabled", "develop_refs", "develop_remote")
# test_switch.
FLAVOUR = ("portal_flavour",)
# What is valid only together.
TOGETHER = (
    {"solr_version", "solr_sha512", "solr_mirror"},
    {"tls_source", "tls_certificate_file", "tls_key"},
    {"ckan_smtp_server", "ckan_smtp_user", "ckan_smtp_password", "ckan_mail_from", "ckan_email_to"},
    {"patching_smtp_server", "patching_smtp_user", "patching_smtp_password", "patching_mail_from", "patching_mail_to"},
    {"ckan_plugins", "ckan_default_views"},
    {"ckan_api_token_own_secret", "ckan_api_token_secret"},
)
# Nothing on a host depends on these by themselves.
SILENT = {
    "scheduled_draft_days",
    "scheduled_limit",
    "scheduled_modified_days",
    "scheduled_multipart_days",
    "scheduled_times",
    "workers_dcor_long",
    "workers_dcor_normal",
    "workers_dcor_short",
    "base_leave_behind",
    "base_take_over",
    "ckan_database_leave_behind",
    "ckan_reindex_seconds",
    "ckan_start_seconds",
    "ckan_sysadmin_email",
    "ckan_sysadmin_password",
    "ckan_smtp_starttls",
    "patching_smtp_security",
    "patching_smtp_trust",
    "tls_days",
    "tls_key_bits",
    "tls_warn_days",
    "tls_renew_before",
    "nginx_read_paths",
    "nginx_write_paths",
    "nginx_blocked_extensions",
    "nginx_dcor_aid_minimum",
}
