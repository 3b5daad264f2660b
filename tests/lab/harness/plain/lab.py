"""The lab's hosts with a plain CKAN; the lab itself (inventory/lab.py) has a DCOR portal."""

import runpy

from settings.inventory_checks import GROUPS as _GROUPS

_lab = runpy.run_path("inventory/lab.py")
_plain = {"portal_flavour": "ckan", "ckan_start_seconds": 180}
globals().update({_group: _lab[_group] for _group in _GROUPS})
portal = [(_name, {**_data, **_plain}) for _name, _data in _lab["portal"]]
