"""Asks ansible-core what inventories, host patterns and YAML texts mean, all in one process.

Usage: python inventory.py list|patterns|yaml|vault < request.json > answer.json
"""
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile

os.environ.setdefault("ANSIBLE_DEPRECATION_WARNINGS", "False")
EMPTY = tempfile.mkdtemp()  # a playbook folder without variables, and settings that change nothing
os.environ["ANSIBLE_CONFIG"] = os.path.join(EMPTY, "ansible.cfg")
with open(os.environ["ANSIBLE_CONFIG"], "w"):
    pass
os.environ["ANSIBLE_LOCALHOST_WARNING"] = "False"

from ansible.cli import CLI
from ansible.cli.inventory import InventoryCLI
from ansible.parsing.utils.yaml import from_yaml
from ansible.utils import context_objects as co
from ansible.plugins.loader import init_plugin_loader
from ansible.utils import vars as ansible_vars


def prepare(case, action):
    """The command line object and its inventory for one case."""
    arguments = ["ansible-inventory", *action]
    for source in case["sources"]:
        arguments += ["-i", source]
    for extra in case.get("extra_vars", []):
        arguments += ["-e", extra]
    if case.get("playbook_dir"):
        arguments += ["--playbook-dir", case["playbook_dir"]]
    if case.get("vault_password_file"):
        arguments += ["--vault-password-file", case["vault_password_file"]]
    ansible_vars.load_extra_vars.extra_vars = None
    ansible_vars.load_options_vars.options_vars = None
    co.GlobalCLIArgs._Singleton__instance = None
    cli = InventoryCLI(arguments)
    cli.parse()
    cli.loader, cli.inventory, cli.vm = cli._play_prereqs()
    return cli


def in_folder(case, function):
    os.chdir(case["folder"])
    try:
        return function(case)
    except BaseException as error:  # what Ansible refuses is an answer too
        return {"error": str(error)}


def listing(case):
    cli = prepare(case, ["--list"])
    if case.get("playbook_dir") is None:
        cli.loader.set_basedir(EMPTY)
    return {
        "list": json.loads(cli.dump(cli.json_inventory(cli._get_group("all")))),
        "graph": cli.inventory_graph(),
    }


def patterns(case):
    answers = []
    for pattern, limit in case["patterns"]:
        cli = prepare(case, ["--list"])
        try:
            hosts = CLI.get_host_list(cli.inventory, limit, pattern)
            answers.append([str(host) for host in hosts])
        except BaseException as error:
            answers.append({"error": str(error)})
    return answers


def plain(value):
    """A JSON form that keeps floats and integers apart, and what JSON cannot say."""
    if isinstance(value, bool) or value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, set):
        return sorted(plain(inner) for inner in value)
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def yaml_text(text):
    try:
        return {"value": plain(from_yaml(text))}
    except BaseException as error:
        return {"error": str(error)}


def literal(text):
    from ansible.plugins.inventory.ini import InventoryModule
    try:
        return {"value": plain(InventoryModule._parse_value(text))}
    except BaseException as error:
        return {"error": str(error)}


def vault(request):
    from ansible.parsing.vault import VaultLib, VaultSecret
    secret = VaultSecret(request["password"].encode())
    return VaultLib([("default", secret)]).decrypt(request["text"]).decode()


ACTIONS = {
    "list": lambda request: [in_folder(case, listing) for case in request],
    "patterns": lambda request: [in_folder(case, patterns) for case in request],
    "yaml": lambda request: [yaml_text(text) for text in request],
    "literal": lambda request: [literal(text) for text in request],
    "vault": lambda request: [vault(one) for one in request],
}

if __name__ == "__main__":
    init_plugin_loader()
    requested = json.load(sys.stdin)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        answer = ACTIONS[sys.argv[1]](requested)
    shutil.rmtree(EMPTY)
    json.dump(answer, sys.stdout)
