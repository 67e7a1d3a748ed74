"""The hosts of hosts.json, for pyinfra."""

import json
from pathlib import Path

hosts = [
    (
        host["name"],
        {
            "ssh_hostname": host["address"],
            "ssh_port": host["port"],
            "ssh_user": "ubuntu",
            "ssh_key": host["key"],
            "ssh_known_hosts_file": "/dev/null",
            "ssh_strict_host_key_checking": "no",
            "ssh_connect_retries": 0,
            "ssh_paramiko_connect_kwargs": {"look_for_keys": False, "allow_agent": False, "timeout": host["timeout"]},
        },
    )
    for host in json.loads((Path(__file__).parent / "hosts.json").read_text())
]
