"""test_deb.py - the Debian packages as files: what lintian says of them, and what is where"""

import glob
import os
import subprocess
import tempfile

from packages import deb, deb_of_version, lacking, version
from tap import TOP, done, ok, run, same, skip

reason = lacking(lintian="lintian")
if reason:
    skip(f"{reason}: the Debian packages were not made and looked at")
    done()


def lintian(*paths):
    got = run("lintian", "--tag-display-limit", "0", "-I", "--pedantic", "--fail-on", "error,warning,info,pedantic", *paths)
    return got.returncode, [line for line in (got.stdout + got.stderr).splitlines() if "root privileges" not in line]


def listed(path):
    """{file: "mode owner"}"""
    lines = subprocess.run(["dpkg-deb", "-c", path], text=True, capture_output=True, check=True).stdout.splitlines()
    return {line.split(None, 5)[5].removeprefix("."): " ".join(line.split()[:2]) for line in lines if line[0] != "d"}


def planted(root):
    os.chmod(os.path.join(root, "usr/bin/agentlocator"), 0o4755)


first, second = deb(), deb("agentlocator-baileys")
changes = glob.glob(os.path.join(os.path.dirname(first), "*.changes"))
same(lintian(*changes), (0, []), "lintian has nothing to say of the packages or their source that is not explained in an override")
with tempfile.TemporaryDirectory() as folder:
    code, tags = lintian(deb_of_version("9", folder, planted))
    ok(code and any("elevated-privileges" in tag for tag in tags), "of a planted program that is set uid it does")

files, other = listed(first), listed(second)
same(files["/etc/agentlocator/agentlocator.env"], "-rw-r----- root/root", "settings are not for everybody to read")
same([path for path in files if path.startswith("/etc/")], ["/etc/agentlocator/agentlocator.env"], "and are all that is in /etc")
same([path for path in files if "baileys" in path], [], "the WhatsApp device is a package of its own")
program = glob.glob(os.path.join(TOP, "src/services/whatsapp/baileys/*.js"))
same(sorted(os.path.basename(path) for path in other if path.endswith(".js")), sorted(os.path.basename(path) for path in program),
     "with every part of its program")
fields = run("dpkg-deb", "-f", second, "Depends", "Recommends").stdout
ok("nodejs (>= 20)" in fields and "nodejs.org" in run("dpkg-deb", "-f", second, "Description").stdout, "it wants Node 20, and says where that is")
with open(os.path.join(TOP, "configure.ac"), encoding="utf-8") as file:
    same(version().split("-")[0], file.read().split("AC_INIT([agentlocator],[")[1].split("]")[0], "the package is of the program's version")
done()
