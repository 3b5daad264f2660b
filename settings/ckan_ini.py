"""Options of ckan.ini's ``[app:main]`` by headings, as data: CKAN's, and what the flavour dcor makes of them.

Secrets, services and mail stand in the template itself. What the site sets itself (``ckan_options``) replaces ours.
"""

from __future__ import annotations

from settings.ckan import CkanSettings
from settings.dcor import DcorSettings
from settings.object_storage import ObjectStorageSettings
from settings.secret import Secret

Sections = dict[str, dict[str, str | Secret]]


def sections(
    ckan: CkanSettings, dcor: DcorSettings | None, storage: ObjectStorageSettings | None, packages: str
) -> Sections:
    """Return the options by heading, those left out that the site sets itself.

    + packages: folder of the packages in CKAN's virtual environment
    """
    found = _common(ckan)
    if dcor and storage:
        for heading, options in _dcor(ckan, dcor, storage, packages).items():
            found.setdefault(heading, {}).update(options)
    return {
        heading: {name: value for name, value in options.items() if name not in ckan.all_options}
        for heading, options in found.items()
    }


def _common(ckan: CkanSettings) -> Sections:
    return {
        "Site": {
            "ckan.site_id": ckan.site_id,
            "ckan.site_url": f"https://{ckan.fqdn}",
            "ckan.site_title": ckan.title,
            "ckan.locale_default": ckan.language,
            "ckan.favicon": "/base/images/ckan.ico",
            "ckan.gravatar_default": "disabled",
        },
        "Plugins": {
            "ckan.plugins": " ".join(ckan.all_plugins),
            "ckan.views.default_views": " ".join(ckan.views),
        },
        "Storage. Sizes are MiB; the limit is nginx's and uWSGI's too": {
            "ckan.storage_path": ckan.storage,
            "ckan.webassets.path": ckan.webassets_path,
            "ckan.max_resource_size": str(ckan.upload_limit),
            "ckan.max_image_size": str(min(ckan.upload_limit, 10)),
            "ckan.upload.user.types": "image",
            "ckan.upload.group.types": "image",
        },
        "Sessions: only over HTTPS": {
            "SESSION_COOKIE_SECURE": "true",
            "SESSION_COOKIE_HTTPONLY": "true",
            "SESSION_COOKIE_SAMESITE": "Lax",
            "REMEMBER_COOKIE_SECURE": "true",
            "REMEMBER_COOKIE_HTTPONLY": "true",
            "REMEMBER_COOKIE_SAMESITE": "Lax",
        },
        "Who may do what": {
            "ckan.auth.anon_create_dataset": "false",
            "ckan.auth.create_unowned_dataset": "false",
            "ckan.auth.create_dataset_if_not_in_organization": "false",
            "ckan.auth.user_create_groups": "false",
            "ckan.auth.user_create_organizations": "false",
            "ckan.auth.create_user_via_api": "false",
            "ckan.auth.create_user_via_web": "false",
            "ckan.auth.public_user_details": "false",
        },
    }


def _dcor(ckan: CkanSettings, dcor: DcorSettings, storage: ObjectStorageSettings, packages: str) -> Sections:
    """What dcor_control and DCOR's own installation set, as far as CKAN 2.11 still reads it."""
    licenses = f"file://{packages}/ckanext/dcor_schemas/{dcor.licenses}.json"
    session = str(dcor.session_seconds)
    found: Sections = {
        "Site": {
            "ckan.theme": "dcor_theme_main/dcor_theme_main",
            "ckan.favicon": "/favicon.ico",
            "licenses_group_url": licenses,
            "ckan.cache_enabled": _boolean(dcor.page_cache_seconds > 0),
            "ckan.cache_expires": str(dcor.page_cache_seconds),
        },
        "Sessions: only over HTTPS": {
            "SESSION_TYPE": "cookie",
            "SESSION_COOKIE_NAME": "dcor",
            "SESSION_COOKIE_DOMAIN": ckan.fqdn,
            "SESSION_COOKIE_SAMESITE": "Strict",
            "SESSION_REFRESH_EACH_REQUEST": "false",
            "PERMANENT_SESSION_LIFETIME": session,
            "REMEMBER_COOKIE_NAME": "remember_token",
            "REMEMBER_COOKIE_DOMAIN": ckan.fqdn,
            "REMEMBER_COOKIE_DURATION": session,
            "REMEMBER_COOKIE_SAMESITE": "Strict",
            "WTF_CSRF_ENABLED": "true",
            "WTF_CSRF_CHECK_DEFAULT": "true",
            "ckan.csrf_protection.ignore_extensions": "false",
        },
        "Who may do what": {
            "ckan.auth.allow_admin_collaborators": "false",
            "ckan.auth.allow_collaborators_to_change_owner_org": "false",
            "ckan.auth.allow_dataset_collaborators": "true",
            "ckan.auth.create_default_api_keys": "false",
            "ckan.auth.public_activity_stream_detail": "false",
            "ckan.auth.reveal_private_datasets": "false",
            "ckan.auth.roles_that_cascade_to_sub_groups": "admin",
            "ckan.auth.user_create_groups": "true",
            "ckan.auth.user_create_organizations": "true",
            "ckan.auth.user_delete_groups": "true",
            "ckan.auth.user_delete_organizations": "false",
        },
        "DCOR: datasets": {
            "ckan.extra_resource_fields": "etag sha256",
            "ckan.search.default_include_private": "true",
            "ckanext.dcor_schemas.allow_content_listing_for_anon": _boolean(dcor.anonymous_listing),
            "ckanext.dcor_schemas.allow_public_datasets": _boolean(dcor.public_datasets),
            "ckanext.dcor_schemas.json_resource_schema_dir": dcor.supplements,
            "ckanext.dcor_schemas.notify_user_create": _boolean(dcor.notify_user_create and bool(ckan.email_to)),
            "ckanext.dc_serve.create_condensed_datasets": _boolean(dcor.condense),
            "ckanext.dc_serve.enable_intra_dataset_basins": _boolean(dcor.intra_dataset_basins),
            "ckanext.dc_serve.tmp_dir": f"{dcor.scratch_path}/ckanext-dc_serve",
            "ckanext.dcor_depot.tmp_dir": f"{dcor.scratch_path}/ckanext-dcor_depot",
        },
        "DCOR: object storage": {
            "dcor_object_store.endpoint_url": storage.endpoint,
            "dcor_object_store.bucket_name": storage.bucket,
            "dcor_object_store.access_key_id": storage.access_key_id,
            "dcor_object_store.ssl_verify": _boolean(storage.ssl_verify),
        },
    }
    if storage.secret_access_key is not None:
        found["DCOR: object storage"]["dcor_object_store.secret_access_key"] = storage.secret_access_key
    return found


def _boolean(value: bool) -> str:
    return "true" if value else "false"
