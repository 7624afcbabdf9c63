#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Includes point down only (DESIGN.md, Layers), model/ is pure, and each third-party library has
its one user. Prints FILE:LINE: what is wrong."""
import glob
import os
import re
import sys

# A layer may include itself and those named behind it.
MAY = {
    "base": {"base"},
    "model": {"model", "base"},
    "host": {"host", "model", "base"},
    "net": {"net", "host", "model", "base"},
    "cluster": {"cluster", "net", "host", "model", "base"},
    "steps": {"steps", "cluster", "net", "host", "model", "base"},
    "": {"", "steps", "cluster", "net", "host", "model", "base", "generated"},
}
GENERATED = {"build_info.h", "help.h", "blueprints.h"}
# Headers of libraries: who alone may include them (prefixes of paths below agent/).
USERS = {
    "curl/": ("host/fetch",),
    "yaml.h": ("model/role",),
    "archive": ("host/unpack",),
    "mbedtls/": ("host/verify", "cluster/certificate", "cluster/key"),
    "psa/": ("host/verify", "cluster/jws", "cluster/key", "cluster/kubeadm_certs"),
    "libkmod.h": ("host/module",),
    "blkid/": ("host/block",),
    "jansson.h": ("model/json", "model/daemon", "steps/engine", "cluster/", "host/json"),
}
# What model/ may not touch: descriptors, clock, environment (sys/mount.h is there for its flags).
IMPURE = re.compile(r"^#include <(fcntl|unistd|time|sys/(?!types|mount)|poll|dirent|sched)[^>]*>")
# PID 1 calls no third-party library, nor what does.
PID1 = {"init.c", "switch_root.c", "console.c", "rescue.c"}
PID1_MAY = {"base", ""}


def layer_of(path):
    return path.split("/")[0] if "/" in path else ""


def check_line(path, number, line, report):
    ours = re.match(r'#include "([^"]+)"', line)
    theirs = re.match(r"#include <([^>]+)>", line)
    layer = layer_of(path)
    if ours:
        target = ours.group(1)
        other = "generated" if target in GENERATED else layer_of(target)
        if layer not in MAY:
            report(f"{path}:{number}: '{layer}/' is no layer of DESIGN.md")
        elif other not in MAY[layer]:
            if not (target in GENERATED and layer in ("net", "host", "cluster")):
                report(f"{path}:{number}: {layer or 'top'} may not include \"{target}\"")
        if path in PID1 and other not in PID1_MAY:
            report(f"{path}:{number}: PID 1 may not include \"{target}\"")
    if theirs:
        for prefix, users in USERS.items():
            if theirs.group(1).startswith(prefix) and not path.startswith(users):
                report(f"{path}:{number}: <{theirs.group(1)}> belongs to {' and '.join(users)}")
        if layer == "model" and IMPURE.match(line):
            report(f"{path}:{number}: model/ is pure: no <{theirs.group(1)}>")


def main():
    os.chdir(sys.argv[1] if len(sys.argv) > 1 else "agent")
    problems = []
    files = sorted(glob.glob("*.[ch]") + glob.glob("*/*.[ch]"))
    for path in files:
        with open(path, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                check_line(path, number, line, problems.append)
    print("\n".join(problems))
    sys.exit(1 if problems or not files else 0)


if __name__ == "__main__":
    main()
