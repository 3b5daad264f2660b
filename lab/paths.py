"""Where the lab keeps things, and the names it gives to what it makes on the controller."""

import hashlib
import os
from pathlib import Path

DEFAULT_CACHE = Path("/var/cache/ckan-deploy")
DEFAULT_STATE = Path("/var/lib/ckan-deploy-lab")
RUN = Path("/run")


def cache() -> Path:
    """The folder for everything that is slow to build and may be deleted at any time."""
    return Path(os.environ.get("CKAN_DEPLOY_CACHE") or DEFAULT_CACHE).resolve()


def state() -> Path:
    """The folder of this lab: its hosts, snapshots, keys and logs."""
    return Path(os.environ.get("CKAN_DEPLOY_LAB") or DEFAULT_STATE).resolve()


def tag() -> str:
    """What tells this lab from others on the same controller: empty for the default state folder."""
    folder = state()
    return "" if folder == DEFAULT_STATE else hashlib.sha256(str(folder).encode()).hexdigest()[:5]


def prefix() -> str:
    """How the names of this lab's links and control groups begin (links may have 15 characters)."""
    return f"ckl{tag()}-"


def bridge() -> str:
    """The name of this lab's bridge."""
    return f"{prefix()}br"


def table() -> str:
    """The name of this lab's nft table (family inet)."""
    return "_".join(filter(None, ["ckan_deploy_lab", tag()]))


def marker() -> str:
    """The comment that ends this lab's lines in the controller's /etc/hosts."""
    return " ".join(filter(None, ["# ckan-deploy lab", tag()]))


def host(name: str) -> Path:
    """The folder of one host."""
    return state() / "hosts" / name


def snapshot(name: str) -> Path:
    """The folder of one snapshot."""
    return state() / "snapshots" / name
