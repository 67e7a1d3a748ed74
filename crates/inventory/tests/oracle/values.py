"""Evaluates the corpus of values with Ansible's own Templar and prints the answers as JSON.

Usage: values.py CORPUS.yml...
Each answer is {"value": …} or {"error": "undefined" | "other"}.
"""
import json
import os
import sys

os.environ.setdefault("ANSIBLE_LOCALHOST_WARNING", "0")

from ansible.errors import AnsibleUndefinedVariable  # noqa: E402
from ansible.parsing.dataloader import DataLoader  # noqa: E402
from ansible.plugins.loader import init_plugin_loader  # noqa: E402
from ansible.template import Templar  # noqa: E402

init_plugin_loader()


def plain(value):
    if isinstance(value, bool) or value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return str(value)


def answer(run):
    try:
        return {"value": plain(run())}
    except AnsibleUndefinedVariable:
        return {"error": "undefined"}
    except Exception as error:  # noqa: BLE001
        if "is undefined" in str(error):
            return {"error": "undefined"}
        return {"error": "other"}


def main():
    out = {}
    for path in sys.argv[1:]:
        loader = DataLoader()
        corpus = loader.load_from_file(path)
        loader.set_basedir(os.path.dirname(os.path.abspath(path)))
        variables = dict(corpus.get("vars", {}))
        world = corpus.get("world", {})
        variables["groups"] = world.get("groups", {})
        hosts = world.get("hosts", {})
        variables["hostvars"] = hosts
        variables["inventory_hostname"] = "vm1"
        variables["inventory_hostname_short"] = "vm1"
        variables["omit"] = "__omit_place_holder__9a1f0c55d2b84b6c"
        answers = {}
        for case in corpus.get("cases", []):
            templar = Templar(loader, variables=variables)
            answers[case] = answer(lambda: templar.template(case))
        for case in corpus.get("files", []):
            templar = Templar(loader, variables=variables)
            answers["file:" + case] = answer(
                lambda: templar.template(
                    case, preserve_trailing_newlines=True, convert_data=False, escape_backslashes=False
                )
            )
        out[os.path.basename(path)] = answers
    json.dump(out, sys.stdout, indent=1, ensure_ascii=False, sort_keys=True)
    print()


main()
