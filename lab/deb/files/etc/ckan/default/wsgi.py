# Stands for CKAN's own wsgi.py, with another text than ckan-deploy's.
import os

from ckan.cli import CKANConfigLoader
from ckan.config.middleware import make_app

here = os.path.dirname(os.path.abspath(__file__))
application = make_app(CKANConfigLoader(os.environ.get("CKAN_INI", os.path.join(here, "ckan.ini"))).get_config())
