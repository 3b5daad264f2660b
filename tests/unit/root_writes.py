"""What root does to files by their path, by module, with the reason why nobody else can lay a link on that path."""

from __future__ import annotations

# Why a path is safe. None of these folders is anybody's but root's, and each way to them is root's, too.
OURS = "in /var/lib/ckan-deploy or /run/ckan-deploy, which are root's"
CACHE = "downloads and what is unpacked: /var/cache/ckan-deploy, /opt and /usr/local/bin are root's"
CODE = "in the environments, which are root's: /usr/lib/ckan, /usr/lib/ckan-deploy; CKAN's account only reads them"
ETC = "in root's folders of configuration, certificates and systemd"
TEMPORARY = "a file or folder that mktemp made for root alone"
CHECKOUTS = "in /dcor-repos, which is root's; CKAN's account only reads it"
HANDED = "a function: those who call it give names in an entered folder, or in one of root's"
APART = "in a mount namespace of its own, in folders that root made there"
COPIES = "/var/backups/ckan-deploy is root's; what is copied is read as it is, links too"
ENTERED = "from a folder that was entered, or through a descriptor of it: no link is followed"
NO_FILES = "no file is named"
LISTED: dict[str, dict[str, tuple[str, ...]]] = {
    "facts/apt.py": {
        NO_FILES: ("install",),
    },
    "facts/ckan_index.py": {
        NO_FILES: (">=",),
    },
    "facts/left_files.py": {
        NO_FILES: ("> here:",),
    },
    "facts/minio.py": {
        NO_FILES: (">=",),
    },
    "facts/s3.py": {
        NO_FILES: (
            ">%d",
            ">%s",
            '>" % (number, got.headers.get("',
            '>" % "',
        ),
    },
    "facts/supervisor.py": {
        NO_FILES: ("> now",),
    },
    "operations/apt.py": {
        NO_FILES: (
            "install --reinstall $torn",
            'install "$@" 2>/dev/null',
            'install "$@"',
        ),
    },
    "operations/certificate.py": {
        ETC: (
            'rm -f "$2"',
            'cp -L "$1" "$2"',
            'chown "${3#* }" "$file"',
            'chmod "${3%% *}" "$file"',
            'mv -fT "$2" "$1"',
            'rm -f "$2" "$2.said"',
            'rm -f "$2.said"',
            'chown root:root "$2"',
            'chmod 600 "$2"',
            'chmod 644 "$2"',
        ),
    },
    "operations/ckan.py": {
        TEMPORARY: (
            'rm -f "$log"',
            '>"$log"',
        ),
    },
    "operations/ckan_sysadmin.py": {
        ETC: (
            'rm -f "$log" "$token.new"',
            'rm -f "$out"',
            'mv -fT "$out" "$token"',
            '>"$out"',
        ),
    },
    "operations/clock.py": {
        NO_FILES: ("touch",),
    },
    "operations/cluster.py": {
        OURS: (
            'mkdir -p "$(dirname "$stamp")"',
            'rm -f "$stamp"',
            '> "$stamp"',
        ),
        ENTERED: ("find . -mindepth 1 -delete",),
    },
    "operations/deb.py": {
        CODE: (
            'rm -f "$path/differing"',
            '> "$path/differing"',
            '> "$path/ckan-deploy.deb"',
            'rm -rf "$said" "$new"',
            'rm -rf "$new"',
            'mkdir -p "$new$path"',
            'mv -T "$new$path" "$dest"',
            '> "$new$path/ckan-deploy.lock"',
        ),
    },
    "operations/download.py": {
        CACHE: (
            'mkdir -p "$(dirname "$dest")"',
            'rm -f "$new"',
            'chmod "$mode" "$new"',
            'mv -fT "$new" "$dest"',
            'rm -rf "$dest.new"',
            'mkdir -p "$dest.new"',
            'tar -xf "$archive" -C "$dest.new" --strip-components=1 --no-same-owner',
            'rm -rf "$dest.old"',
            'mv -T "$dest" "$dest.old"',
            'mv -T "$dest" "$dest.aside.$(date +%s)"',
            'mv -T "$dest.new" "$dest"',
            '> "$dest.new/.ckan-deploy"',
            'rm -rf -- "$@"',
        ),
    },
    "operations/dpkg.py": {
        TEMPORARY: ('rm -f "$said"',),
        APART: (
            'mkdir -p "$scratch$place" "$place"',
            'mkdir -p "$2"',
            'rm -rf "$2"',
        ),
        CODE: (
            "rm -rf /usr/bin/.ckan.ckan-deploy",
            "cp -aT /usr/bin/ckan /usr/bin/.ckan.ckan-deploy",
            "mv -f /usr/bin/.ckan.ckan-deploy /usr/bin/ckan",
        ),
    },
    "operations/files.py": {
        ENTERED: ('mv -T "./$name" "./${4##*/}.aside.$(date +%s)"',),
        HANDED: (
            'rmdir "$1" 2>/dev/null',
            'mv -T "$1" "$2.aside.$(date +%s)"',
        ),
    },
    "operations/git.py": {
        NO_FILES: (
            "install git",
            "chown -R root:root",
        ),
        CHECKOUTS: (
            "rm -f .git/index.lock",
            "touch .git/ckan-deploy.moved",
            "> .git/info/exclude",
            'rm -rf -- "$@"',
            'rm -rf "$path.part"',
            'rmdir "$folder" 2>/dev/null',
            'mkdir -p "$(dirname "$dest")"',
            'rm -rf "$dest.part"',
            'rmdir "$dest"',
            'mv -T "$dest.part" "$dest"',
        ),
    },
    "operations/kept.py": {
        COPIES: (
            'mkdir -p "$(dirname "$copy")"',
            'rm -f "$copy.part"',
            'cp -a -- "$1" "$copy.part"',
            'mv -T --backup=numbered "$copy.part" "$copy"',
        ),
        OURS: (
            "mkdir -p",
            'mv -fT "$note.new" "$note"',
            'rm -f "$(note_of "$1")"',
            '> "$note.new"',
        ),
    },
    "operations/lock.py": {
        OURS: (
            "mkdir -p /run/ckan-deploy",
            'mv -f "$holder.new" "$holder"',
            'rm -f "$holder"',
            '>> "$lock"',
            '> "$holder.new"',
        ),
    },
    "operations/postgresql.py": {
        OURS: (
            'mkdir -p "$(dirname "$2")"',
            'rm -f "$2.new"',
            'mv -fT "$2.new" "$2"',
            '> "$2.new"',
        ),
    },
    "operations/python.py": {
        NO_FILES: (
            'install --require-hashes --no-deps -r "$environment/tools.lock"',
            'install --require-hashes --no-deps --no-build-isolation -r "$2"',
            'install --no-deps --no-build-isolation "$@"',
        ),
        CODE: (
            'mv "$path" "$path.aside.$(date +%s)"',
            'ln -sfn "$(basename "$dest")" "$path.new"',
            'mv -fT "$path.new" "$path"',
            'rm -f "$environment/tools.lock"',
            '> "$environment/tools.lock"',
            '> "$environment/ckan-deploy.editable"',
            '>> "$environment/ckan-deploy.editable"',
            "find lib -type f -newer ckan-deploy.finish ! -name '*.pyc' -exec sha256sum {} + > ckan-deploy.finished",
            '> "$1/ckan-deploy.finish"',
            "> ckan-deploy.finished",
            'rm -rf "$1.$slot"',
            'mkdir -p "$(dirname "$path")" /run/ckan-deploy',
            'rm -rf "$dest"',
            '> "$dest/ckan-deploy.lock"',
        ),
    },
    "operations/redis.py": {
        NO_FILES: ("> end:",),
    },
    "operations/s3.py": {
        TEMPORARY: (
            'rm -f "$bundle"',
            '> "$bundle"',
        ),
    },
    "operations/scratch.py": {
        ENTERED: ('rm -rf --one-file-system -- "./${path##*/}"',),
        OURS: (
            'mv -fT "$record.new" "$record"',
            'mkdir -p "$(dirname "$record")"',
            'rm -f "$record"',
            'rmdir "$(dirname "$record")" 2>/dev/null',
            '> "$record.new"',
        ),
    },
    "operations/service.py": {
        OURS: (
            'mkdir -p "$(dirname "$3")"',
            'touch "$3.new"',
            'rm -f "$3.new"',
            'mv -f "$3.new" "$3"',
            'rm -rf -- "$mark"',
        ),
        CODE: (
            'rm -rf -- "$tree"',
            'rmdir -- "$(dirname "$tree")" 2>/dev/null',
        ),
        ETC: (
            'rm -f -- "$1"',
            'rm -rf "$2" "$2.old"',
            'rm -f "$1"',
            'rm -rf "/etc/systemd/system/$unit" "/etc/systemd/system/$unit.d" '
            '"/etc/systemd/system/.$unit.ckan-deploy"*',
        ),
    },
    "operations/stamps.py": {
        OURS: (
            'mkdir -p "$(dirname "$1")"',
            'rm -f "$1.new"',
            'mv -fT "$1.new" "$1"',
            '> "$1.new"',
        ),
    },
    "operations/supervisor_control.py": {
        ENTERED: ("os.unlink(name, dir_fd=fd)",),
        ETC: (
            "os.remove(path)",
            "shutil.rmtree(path)",
        ),
    },
    "operations/trust.py": {
        CODE: (
            'ln -sfn "$2" "$3"',
            'mv -fT "$3" "$1"',
        ),
        ETC: (
            'rm -f "$new"',
            'chown root:root "$new"',
            'chmod 644 "$new"',
            'mv -fT "$new" "$dest"',
            '> "$new"',
        ),
    },
    "operations/wheel.py": {
        TEMPORARY: (
            'rm -rf "$work"',
            'cp "$work/content/$path" file',
            '> "$work/lock"',
        ),
    },
    "tasks/access.py": {
        TEMPORARY: ('rm -f "$log"',),
    },
    "tasks/extension_tests_host.py": {
        TEMPORARY: ("os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)",),
    },
    "tasks/test_extensions.py": {
        APART: (
            "mkdir /mnt/new /mnt/work",
            'chown -hR www-data "$1"',
            "> /mnt/hosts",
        ),
    },
    "templates/dcor/dcor.py.j2": {
        NO_FILES: ("> 1",),
    },
}
