"""The preparation of a node as the role rke-node does it, for pyinfra. Settings: settings.json beside this file."""

import json
from pathlib import Path

from pyinfra import config, host
from pyinfra.facts.deb import DebPackages
from pyinfra.facts.files import File, FindInFile
from pyinfra.facts.hardware import Cpus, Memory
from pyinfra.facts.server import Arch, Command, Hostname, Kernel, LinuxDistribution
from pyinfra.operations import apt, files, server, systemd

config.SUDO = True

here = Path(__file__).parent
settings = json.loads((here / "settings.json").read_text())

# A machine that can become a node
distribution = host.get_fact(LinuxDistribution)
assert distribution["release_meta"].get("ID") in ("debian", "ubuntu"), distribution
for fact in (Arch, Kernel, Hostname, Cpus, Memory):
    host.get_fact(fact)
assert host.get_fact(Command, command="cat /proc/1/comm") == "systemd"

# No other Docker
packages = host.get_fact(DebPackages)
for name in ("docker-ce", "docker-engine", "podman-docker"):
    assert name not in packages, name
assert host.get_fact(File, path="/snap/docker") is None

for module in settings["modules"]:
    # The operation modprobe takes a module that is built in for one that is missing.
    known = f"grep -qs '^{module} ' /proc/modules || grep -qs '/{module}.ko' /lib/modules/$(uname -r)/modules.builtin"
    if host.get_fact(Command, command=f"({known}) && echo there || echo missing") == "missing":
        server.shell(name=f"Load {module}", commands=[f"modprobe {module}"])
    files.line(name=f"Load {module} after each boot", path="/etc/modules", line=module)

files.block(
    name="Set the limits of sessions",
    path="/etc/security/limits.conf",
    content=settings["limits"],
    marker="# {mark} ANSIBLE MANAGED BLOCK - SYSTEM LIMITS",
    try_prevent_shell_expansion=True,
)

for key, value in settings["sysctl"].items():
    server.sysctl(
        name=f"Set {key}",
        key=key,
        value=value,
        persist=True,
        persist_file="/etc/sysctl.d/99-kubernetes.conf",
    )

if host.get_fact(Command, command="tail -n +2 /proc/swaps"):
    server.shell(name="Switch swap off", commands=["swapoff -a"])
if host.get_fact(FindInFile, path="/etc/fstab", pattern=r"^[^#]\S*\s+\S+\s+swap\s"):
    files.replace(name="Switch swap off after each boot", path="/etc/fstab", text=r"^\([^#]\S*\s\+\S\+\s\+swap\s.*\)$", replace=r"# \1")

missing = [name for name in settings["packages"] + ["docker.io"] if name not in packages]
if missing:
    apt.update(name="Refresh the package index", cache_time=3600)
apt.packages(name="Install the packages that every node has", packages=settings["packages"])
apt.packages(name="Install Docker", packages=["docker.io"])

server.group(name="Make the group of those who use Docker", group="docker", system=True)
server.user(name="Put the user that RKE logs in as into it", user="ubuntu", groups=["docker"], append=True)
files.directory(name="Make the folder of Docker's configuration", path="/etc/docker", mode="755", user="root", group="root")
daemon = files.put(
    name="Configure Docker",
    src=str(here / "daemon.json"),
    dest="/etc/docker/daemon.json",
    mode="644",
    user="root",
    group="root",
)
systemd.service(name="Run containerd, now and after each boot", service="containerd", running=True, enabled=True)
systemd.service(name="Run Docker, now and after each boot", service="docker", running=True, enabled=True)
if "docker.io" in packages:
    # A question, like the others' check, so that a host that is right shows no change.
    answer = host.get_fact(Command, command="timeout 20 docker version --format '{{.Server.Version}}'")
    assert answer, "Docker does not answer"
systemd.service(name="Restart docker", service="docker", restarted=True, _if=daemon.did_change)
server.shell(
    name="See that docker answers",
    commands=["timeout 20 docker version --format '{{.Server.Version}}'"],
    _if=daemon.did_change,
)
