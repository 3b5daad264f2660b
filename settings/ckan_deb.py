"""Where CKAN's own package is downloaded."""

from __future__ import annotations

# An asset of a release of CKAN's packagers stays as it is; what they serve elsewhere under the same name is overwritten
# by each patch release. Those that are known, by the CKAN that is in them; their checksums could not be looked up.
DEB_RELEASES = "https://github.com/ckan/ckan-packaging/releases/download/{tag}/python-ckan_2.11-noble_amd64.deb"
DEBS = {"2.11.5": DEB_RELEASES.format(tag="v20260429.1")}
