#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Static pods and kubelet configuration against kubeadm's own, in meaning.

    cluster.py CLUSTER_FILES

CLUSTER_FILES is the built cluster_files.c. A case is a folder of tests/golden/cluster: "settings"
says what both were given, the other files are what kubeadm of that version wrote. What differs must
stand in tests/golden/cluster/differences with its reason. Besides, every blueprint is expanded for
every minor, the commands must be those of the pods, and what yaml_write.c writes is read back by
another reader, one of YAML 1.1 as Kubernetes has."""
import glob
import json
import os
import subprocess
import sys
import tempfile

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "cluster")
EMPTY = (None, "", "0", "0s", 0, False, [], {})
MINORS = range(20, 38)


def prune(value, zeros):
    """Without what says nothing: nulls, empty maps; in configurations all zero values."""
    if isinstance(value, dict):
        pruned = {key: prune(item, zeros) for key, item in value.items()}
        return {key: item for key, item in pruned.items()
                if (item not in EMPTY if zeros else item not in (None, {}, []))}
    if isinstance(value, list):
        return [prune(item, zeros) for item in value]
    return value


def by_name(items):
    return isinstance(items, list) and items and all(isinstance(i, dict) and "name" in i for i in items)


def flags(command):
    return {word.split("=", 1)[0]: word.split("=", 1)[1] if "=" in word else True for word in command}


def flatten(value, path=""):
    """{path: scalar}; lists with names by name, commands by flag."""
    if path.endswith(".command") and isinstance(value, list):
        value = flags(value)
    elif by_name(value):
        value = {item["name"]: item for item in value}
    elif isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {path: value}
    rows = {}
    for key, item in value.items():
        rows.update(flatten(item, f"{path}.{key}" if path else str(key)))
    return rows


def show(value):
    return "absent" if value is None else f'"{value}"'


def differences(name, ours, theirs):
    zeros = name == "kubelet-config.yaml"
    ours, theirs = flatten(prune(ours, zeros)), flatten(prune(theirs, zeros))
    for path in sorted(set(ours) | set(theirs)):
        if ours.get(path) != theirs.get(path):
            yield f"{name} {path} | {show(ours.get(path))} | {show(theirs.get(path))}"


def read_table(path):
    """{row without its reason: line}"""
    rows = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                row, reason = line.rsplit(" | ", 1)
                assert reason.strip(), line
                rows[row.strip()] = line
    return rows


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def render(program, folder, settings):
    subprocess.run([program, folder, *settings], check=True, stdin=subprocess.DEVNULL, timeout=60)


def read_settings(case):
    with open(os.path.join(case, "settings"), encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


def run_case(program, case, table, met):
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        render(program, folder, read_settings(case))
        for path in sorted(glob.glob(os.path.join(case, "*.yaml"))):
            name = os.path.basename(path)
            for row in differences(name, load(os.path.join(folder, name)), load(path)):
                met.add(row)
                if row not in table:
                    problems.append(row)
    return problems


def check_minor(program, minor):
    """All blueprints, and argv from the same source as the pod."""
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        render(program, folder, [f"version=1.{minor}.0", "nodeName=n", "advertiseAddress=fd00::1",
                                 "serviceCIDR=fd00:1::/108", "podCIDR=fd00:2::/48",
                                 "endpoint=api:6443", "probeFactor=3", "leaseDuration=60",
                                 "renewDeadline=40", "retryPeriod=10"])
        for path in glob.glob(os.path.join(folder, "*.yaml")):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            load(path)
            if "${" in text or "$if" in text or "$one" in text or "$value" in text:
                problems.append(f"{os.path.basename(path)}: a hole was left open")
        for path in glob.glob(os.path.join(folder, "kube-*.yaml")):
            pod = load(path)
            with open(path.replace(".yaml", ".command"), encoding="utf-8") as file:
                words = file.read().splitlines()
            container = pod["spec"]["containers"][0]
            if words != container["command"] or words[1:] != sorted(words[1:], key=lambda word: word.split("=")[0]):
                problems.append(f"{os.path.basename(path)}: another command, or not sorted")
            if container["startupProbe"]["timeoutSeconds"] != 45:
                problems.append(f"{os.path.basename(path)}: probes are not slower")
            if ("--leader-elect=true" in words) != ("--leader-elect-lease-duration=60s" in words):
                problems.append(f"{os.path.basename(path)}: leases")
    return problems


TEXTS = ["", " ", "a", "true", "True", "yes", "No", "on", "null", "~", "1", "-1", "1.5", "1e3", "0x10", "010",
         "1_000", "1:30", "190:20:30", "2001-01-01", "2001-01-01T00:00:00Z", "12e03", ".5", ".inf",
         "10.96.0.10", "10.244.0.0/16", "1.34.2", "v1.34.2", "::1", "::", "fd00::/64", "*", "*a", "&a", "!a", "%a",
         "@a", "`a", "- a", "-", "--", "---", "--- a", "--a=b", "...", "a: b", "a:", ":a", "a:b", "a #b", "#a",
         "a#b", "[a]", "{a}", "a,b", "'a'", '"a"', "a\\b", "\t", "a\tb", "a ", " a", "a\n", "a\nb", "a\n\n",
         "\na", " a\nb\n", "a\n  b\n c\n", "a \nb", "a\n#b\n", "---\na\n", "=", "<<", "?", "? a", "|", ">",
         "\u00e9", "\u20ac", "\U0001f600", "$(NODE_NAME)", "${a}", "a" * 200, "0o14",
         "cafe", "e1", "1e", "0b1", "+1", "+", ".", "..", "y", "n", "NaN", ".nan"]


def check_yaml(program):
    nested = [[1, [2, []], {}], {"a": [{"b": [], "c": {"d": [[0]]}}], "": "", "x y": None, "yes": False}]
    values = [*TEXTS, TEXTS, {text: text for text in TEXTS}, [{text: [text]} for text in TEXTS], nested,
              {"k": {text: {"n": text} for text in TEXTS}}, 0, -5, True, None, [], {}]
    for value in values:
        done = subprocess.run([program, "--yaml"], input=json.dumps(value).encode(), capture_output=True,
                              timeout=60, check=False)
        if done.returncode:
            yield f"{value!r:.60}: {done.stderr.decode()!r}"
            continue
        found = yaml.safe_load(done.stdout.decode())
        if found != value or json.dumps(found) != json.dumps(yaml_sorted(value)):
            yield f"{value!r:.60} became {found!r:.60}"


def yaml_sorted(value):
    """As written: keys in order of their bytes."""
    if isinstance(value, dict):
        return {key: yaml_sorted(value[key]) for key in sorted(value, key=lambda k: k.encode())}
    return [yaml_sorted(item) for item in value] if isinstance(value, list) else value


def main():
    program = os.path.abspath(sys.argv[1])
    table, met = read_table(os.path.join(CASES, "differences")), set()
    cases = {}
    for case in sorted(glob.glob(os.path.join(CASES, "*/"))):
        cases[os.path.basename(case[:-1])] = run_case(program, case, table, met)
    for minor in MINORS:
        cases[f"blueprints of 1.{minor}"] = check_minor(program, minor)
    cases["yaml"] = list(check_yaml(program))
    cases["differences"] = [f"no case meets: {table[row].strip()}" for row in sorted(set(table) - met)]
    for name, problems in cases.items():
        for problem in problems:
            print(f"FAIL {name}: {problem}")
    failed = sum(1 for problems in cases.values() if problems)
    print(f"{len(cases) - failed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
