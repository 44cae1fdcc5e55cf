"""packages.py - the packages that `make deb` and `make rpm` make, made when a test wants them and they are older than the tree"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import BUILD, TOP

FOLDER = os.path.join(BUILD, "system")
PACKAGES = os.path.join(BUILD, "packages")
DEB_TOOLS = {"dpkg-buildpackage": "dpkg-dev", "dh": "debhelper"}


def lacking(**tools):
    """Why no package can be made, or one of the tools (name=package) be used; "" when all can."""
    missing = sorted(package for tool, package in {**DEB_TOOLS, **tools}.items() if not shutil.which(tool))
    return f"these packages are missing: {' '.join(missing)}" if missing else ""


@contextlib.contextmanager
def alone(name):
    """One at a time makes what all use."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def logged(name, *command, **kwargs):
    """Runs a step whose output is only wanted when it fails."""
    path = os.path.join(FOLDER, name + ".log")
    with open(path, "w", encoding="utf-8") as log:
        code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False, **kwargs).returncode
    if code:
        with open(path, encoding="utf-8", errors="replace") as log:
            raise RuntimeError(f"{name}, {' '.join(command)}: status {code}\n" + "".join(log.readlines()[-30:]))


def newest(*places):
    found = 0
    for place in places:
        for folder, _, names in os.walk(os.path.join(TOP, place)):
            found = max([found] + [os.stat(os.path.join(folder, name)).st_mtime for name in names])
    return found


def made(kind, built):
    """Files of `make deb` or `make rpm`, made again when something of the tree is younger than the one named built."""
    with alone("packages"):  # both kinds begin with the same folder of `make dist`
        found = os.path.join(PACKAGES, kind, built)
        if not os.path.exists(found) or os.stat(found).st_mtime < newest("src", "units", "man", "packaging", "profiles", "share"):
            env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
            env["DEB_BUILD_OPTIONS"] = f"nocheck noautodbgsym parallel={os.cpu_count()}"
            logged(kind, "make", "-C", BUILD, kind, "RPM_FLAGS=--define 'without_tests 1'", env=env)
    return found


def version():
    with open(os.path.join(TOP, "packaging/debian/changelog"), encoding="utf-8") as log:
        return re.match(r"agentlocator \((.*?)\)", log.read())[1]


def deb(name="agentlocator"):
    """The path of a package."""
    arch = subprocess.run(["dpkg", "--print-architecture"], text=True, capture_output=True, check=True).stdout.strip()
    first = made("deb", f"agentlocator_{version()}_{arch}.deb")
    return first if name == "agentlocator" else os.path.join(os.path.dirname(first), f"{name}_{version()}_all.deb")


def rpm():
    """The path of the daemon's rpm."""
    machine = os.uname().machine
    return made("rpm", f"RPMS/{machine}/agentlocator-{version().split('-')[0]}-1.{machine}.rpm")


def deb_of_version(new, folder, change=lambda root: None):
    """The same package as another version; change: what else is other, given where it is unpacked."""
    root, made = os.path.join(folder, "root"), os.path.join(folder, f"agentlocator_{new}.deb")
    subprocess.run(["dpkg-deb", "-R", deb(), root], check=True)
    control = os.path.join(root, "DEBIAN/control")
    with open(control, encoding="utf-8") as file:
        text = file.read()
    with open(control, "w", encoding="utf-8") as file:
        file.write(re.sub(r"^Version: .*$", f"Version: {new}", text, flags=re.M))
    change(root)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, made], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(root)
    return made


def dependencies():
    """What apt would have to fetch for the packages: the first of each alternative, without versions."""
    field = subprocess.run(["dpkg-deb", "-f", deb(), "Depends"], text=True, capture_output=True, check=True).stdout
    return sorted({re.split(r"[ |(:]", one.strip())[0] for one in field.split(",")})
