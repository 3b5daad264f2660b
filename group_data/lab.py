"""Settings of the lab: a throwaway DCOR portal with a first sysadmin."""

portal_fqdn = "portal.test"
portal_flavour = "dcor"
dcor_scratch_space = 1  # a lab host's files are on this machine's disk
ckan_start_seconds = 600  # DCOR's packages take long to load, on a machine that is busy with other hosts
ckan_sysadmin = "admin"
ckan_sysadmin_email = "admin@portal.test"
ckan_sysadmin_token = True
# apt's own timers would take dpkg's lock in the middle of a test.
patching_download_time = "2099-01-01"
patching_upgrade_time = "2099-01-01"
