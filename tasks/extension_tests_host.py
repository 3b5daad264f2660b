"""Runs the test suites of DCOR's packages on a development host: sent there by ``tasks.test_extensions``.

They empty the database, the search index and the queues of whatever CKAN they are given. So they get one of their own:
a database that is made for them and dropped, another Redis database, another site in the search index, buckets and
folders of other names. All else is the portal's own configuration: it is that which is tested.
"""

from __future__ import annotations

import configparser
import json
import os
import pwd
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import urlsplit

ENVIRONMENT = Path("/usr/lib/ckan/default")
INI = Path("/etc/ckan/default/ckan.ini")
USER = "www-data"  # who runs CKAN
SECONDS = 3600  # for one suite


def main() -> int:
    """Test what is named on the command line, each a folder of packages and a name; print what came of it as JSON."""
    folder, *packages = sys.argv[1:]
    if not (ENVIRONMENT / "ckan-deploy.editable").is_file():
        sys.exit(f"{ENVIRONMENT} holds no editable packages: this is no development host; nothing was run")
    options = _options()
    url = urlsplit(options["sqlalchemy.url"])
    if url.hostname not in ("127.0.0.1", "localhost"):
        sys.exit(f"the tests need PostgreSQL on their own host, but it is on {url.hostname}; nothing was run")
    database = f"{url.path.lstrip('/')}_test"
    with tempfile.TemporaryDirectory(prefix="ckan-deploy-tests-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        ini = _configure(work, options, database)
        account = pwd.getpwnam(USER)
        for path in (*work.iterdir(), work):  # the folder last: from then on CKAN may lay links in it
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
        _postgres("dropdb", "--if-exists", "--force", database)
        _postgres("createdb", "--owner", url.username or "", "--encoding", "UTF8", "--template", "template0", database)
        try:
            done = _run(work, ini, ENVIRONMENT / "bin/ckan", "-c", ini, "db", "init")
            if done.returncode:
                sys.exit(f"the tests' database cannot be set up: {_last(done)}")
            for package in packages:
                print(json.dumps({"package": package, **_test(work, ini, Path(folder, package))}), flush=True)
        finally:
            _postgres("dropdb", "--if-exists", "--force", database)
    return 0


def _options() -> dict[str, str]:
    parser = configparser.RawConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(INI)
    return dict(parser["app:main"])


def _configure(work: Path, options: dict[str, str], database: str) -> Path:
    """Write the portal's configuration with what keeps the tests apart from it."""
    url = urlsplit(options["sqlalchemy.url"])
    changed = {
        "sqlalchemy.url": url._replace(path=f"/{database}").geturl(),
        "ckan.redis.url": re.sub(r"/\d+$", "/15", options["ckan.redis.url"]),
        "ckan.site_id": "ckan-deploy-tests",
        "ckan.site_url": "http://test.ckan.net",  # CKAN's own tests have this name
        "ckan.storage_path": str(work / "storage"),
        "ckan.webassets.path": str(work / "webassets"),
        "ckanext.dc_serve.tmp_dir": str(work / "dc_serve"),
        "ckanext.dcor_depot.tmp_dir": str(work / "dcor_depot"),
        "dcor_object_store.bucket_name": "ckan-deploy-tests-{organization_id}",
        "testing": "true",
        "WTF_CSRF_ENABLED": "false",
        "SESSION_COOKIE_SECURE": "false",  # the tests' browser speaks plain HTTP
        "REMEMBER_COOKIE_SECURE": "false",
        "SESSION_COOKIE_DOMAIN": "test.ckan.net",
        "REMEMBER_COOKIE_DOMAIN": "test.ckan.net",
        "ckan.auth.create_user_via_api": "true",  # as DCOR's own tests are configured
        "ckan.auth.create_user_via_web": "true",
        "smtp.server": "localhost:1",  # nobody gets a mail
        "email_to": "",
    }
    for key in ("ckan.storage_path", "ckan.webassets.path", "ckanext.dc_serve.tmp_dir", "ckanext.dcor_depot.tmp_dir"):
        Path(changed[key]).mkdir()
    lines, main, done = [], False, set()
    for line in INI.read_text().splitlines():
        if line.startswith("["):
            if main:
                lines += [f"{key} = {value}" for key, value in changed.items() if key not in done]
            main = line.strip() == "[app:main]"
        key = line.partition("=")[0].strip()
        if main and key in changed:
            done.add(key)
            line = f"{key} = {changed[key]}"
        lines.append(line)
    if main:
        lines += [f"{key} = {value}" for key, value in changed.items() if key not in done]
    target = work / "ckan.ini"
    target.touch(mode=0o600)  # it holds the portal's secrets
    target.write_text("\n".join(lines) + "\n")
    return target


def _test(work: Path, ini: Path, package: Path) -> dict[str, object]:
    """Run the suites of one package; say how many passed, and which did not, with the reason."""
    suites = sorted(path for path in package.rglob("tests") if path.is_dir() and any(path.glob("test_*.py")))
    report = work / "report.xml"
    report.unlink(missing_ok=True)
    # The program, not the module: dcor_control looks for pip beside what was started.
    command: list[str | Path] = [ENVIRONMENT / "bin/pytest", f"--ckan-ini={ini}", "-p", "no:cacheprovider"]
    try:
        done = _run(work, ini, *command, f"--junitxml={report}", f"--rootdir={package}", "-q", *suites, cwd=package)
    except subprocess.TimeoutExpired:
        return {"suites": len(suites), "error": f"not ended after {SECONDS} s"}
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return {"suites": len(suites), "error": _last(done)}
    failed = {}
    for case in cases:
        for kind in ("failure", "error"):
            if (found := case.find(kind)) is not None:
                name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
                failed[name] = [*(found.get("message") or "").strip().splitlines()[:1], _where(found.text or "")]
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {"suites": len(suites), "passed": len(cases) - len(failed) - skipped, "skipped": skipped, "failed": failed}


def _where(text: str) -> str:
    """Last lines of a traceback that say what was wrong."""
    return "\n".join([line for line in text.splitlines() if line.startswith("E  ")][-3:])


def _run(work: Path, ini: Path, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run COMMAND as CKAN's user, without anything written beside the code."""
    path = f"{ENVIRONMENT}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    variables = {"PATH": path, "HOME": str(work), "CKAN_INI": str(ini), "LC_ALL": "C.UTF-8", "TMPDIR": str(work)}
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "HDF5_USE_FILE_LOCKING"):  # as CKAN itself has them
        if value := _variables().get(name):
            variables[name] = value
    return subprocess.run(
        command,
        env={**variables, "PYTHONDONTWRITEBYTECODE": "1", "MPLCONFIGDIR": str(work)},
        user=USER,
        group=USER,
        extra_groups=[],
        cwd=cwd or work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )


def _variables() -> dict[str, str]:
    """Variables with which supervisor runs CKAN."""
    configuration = Path("/etc/supervisor/conf.d/ckan-uwsgi.conf").read_text()
    line = next((x for x in configuration.splitlines() if x.startswith("environment=")), "")
    return dict(re.findall(r'(\w+)="([^"]*)"', line))


def _postgres(*command: str) -> None:
    user = pwd.getpwnam("postgres")
    done = subprocess.run(
        command, user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/", capture_output=True, text=True,
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {_last(done)}")


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout + "\n" + done.stderr).strip().splitlines()
    return "\n".join(lines[-15:]) or f"exit status {done.returncode}"


if __name__ == "__main__":
    sys.exit(main())
