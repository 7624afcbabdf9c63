#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Role documents through the parser and through agent/role.schema.json.

    role.py ROLE_MISTAKES [--cluster] [--update]

ROLE_MISTAKES is the built role_mistakes.c. For every role/accept/*.yaml both must accept; for
every role/refuse/*.yaml both must refuse, and the parser's mistakes must be those of the .txt
beside it (--update writes them: read the diff). A file whose first line is "# no schema: REASON" is wrong in a way that
a schema cannot see, and then only the parser must refuse it. The keys of the parser's tables,
of the schema and of promenade-role(5) must be the same, and both must accept the manual's
examples. With --cluster the same for the cluster document: folder cluster_document,
cluster.schema.json, promenade-cluster(5), which leaves the keys of roles to the other page. Debian: python3-yaml python3-jsonschema.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"{error}: apt-get install python3-yaml python3-jsonschema", file=sys.stderr)
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
AGENT = os.path.join(HERE, "../../agent")
CLUSTER = "--cluster" in sys.argv[2:]
CASES = os.path.join(HERE, "cluster_document" if CLUSTER else "role")
SCHEMA = os.path.join(AGENT, "cluster.schema.json" if CLUSTER else "role.schema.json")
MANUAL = os.path.join(AGENT, "man", "promenade-cluster.5" if CLUSTER else "promenade-role.5")
MODE = ["--cluster"] if CLUSTER else []
# Maps that promenade-cluster(5) leaves to promenade-role(5).
OF_ROLES = re.compile(
    r"^(networking|images|archives|manifests|addons|timeouts|probes|leases)\.|^defaults\.|"
    r"^machines\.(match\.|checks|os|node|artifacts|cni|report|ntp)"
)


class CoreLoader(yaml.SafeLoader):
    """Resolves plain scalars by the core schema of YAML 1.2, as editors do."""

    yaml_implicit_resolvers = {}


for tag, pattern, first in (
    ("null", r"^(?:|~|null|Null|NULL)$", ["", "~", "n", "N"]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "float",
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
):
    CoreLoader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)


def pattern_keyword(validator, pattern, instance, _schema):
    """ECMA-262, which JSON Schema asks for: there $ is the end, not before a last newline."""
    del validator
    pattern = re.sub(r"\$(?=\)|$)", r"(?![\\s\\S])", pattern)
    if isinstance(instance, str) and not re.search(pattern, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def make_validator():
    with open(SCHEMA, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    extended = jsonschema.validators.extend(
        jsonschema.Draft202012Validator, {"pattern": pattern_keyword}
    )
    return schema, extended(schema, format_checker=jsonschema.FormatChecker(["ipv4", "ipv6"]))


def schema_says(validator, path):
    """None when the schema accepts, else why not."""
    try:
        with open(path, encoding="utf-8") as file:
            document = yaml.load(file, CoreLoader)
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        return f"not YAML: {error}"
    for error in validator.iter_errors(document):
        return f"{error.json_path}: {error.message}"
    return None


def parser_says(program, paths):
    """{path: text}; the text is "accepted" or the mistakes."""
    output = subprocess.run([program, *MODE, *paths], check=True, capture_output=True, text=True).stdout
    answers = {}
    for block in re.split(r"^== ", output, flags=re.M)[1:]:
        path, _, text = block.partition("\n")
        answers[path] = text
    return answers


def schema_keys(schema, node, prefix=""):
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
    node = node.get("items", node)
    for key, value in node.get("properties", {}).items():
        path = f"{prefix}.{key}" if prefix else key
        yield path + (" required" if key in node.get("required", []) else "")
        yield from schema_keys(schema, value, path)


def manual_keys(lines):
    """Each `.B key` behind a .TP of section KEYS; the .SS above it is the map."""
    section = prefix = ""
    for i, line in enumerate(lines):
        if line.startswith(".SH "):
            section = line[4:]
        elif line.startswith(".SS "):
            prefix = "" if line == ".SS Top level" else line[4:].replace("[]", "") + "."
        elif line == ".TP" and section == "KEYS":
            paragraph = " ".join(lines[i + 2 : lines.index(".TP", i + 1)
                                       if ".TP" in lines[i + 1 :] else None])
            paragraph = re.split(r" \.S[SH] ", paragraph)[0]
            required = re.search(r"Required\.\"?$", paragraph.strip())
            yield prefix + lines[i + 1][len(".B ") :] + (" required" if required else "")


def compare(what, ours, theirs):
    return [f"keys: only the parser has '{key}', not {what}" for key in sorted(ours - theirs)] + [
        f"keys: only {what} has '{key}'" for key in sorted(theirs - ours)
    ]


def check_keys(program, schema, manual):
    output = subprocess.run([program, *MODE, "--keys"], check=True, capture_output=True, text=True)
    ours = set(output.stdout.splitlines())
    return compare("the schema", ours, set(schema_keys(schema, schema))) + compare(
        "the manual",
        {key for key in ours if not (CLUSTER and OF_ROLES.match(key))},
        set(manual_keys(manual.splitlines())),
    )


def check_examples(program, validator, manual):
    """Problems of the documents in the manual's unfilled blocks."""
    examples = re.findall(r"^\.nf\n\.RS 4\n(apiVersion.*?)^\.RE$", manual, re.M | re.S)
    if not examples:
        yield "the manual has no example"
    for text in examples:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text.replace(r"\(dq", '"').replace(r"\-", "-"))
            file.flush()
            answer = parser_says(program, [file.name])[file.name]
            yield from check_accept("example in the manual", answer,
                                    schema_says(validator, file.name))


def check_accept(path, parser, schema):
    if parser != "accepted\n":
        yield f"{path}: the parser refuses it: {parser}"
    if schema is not None:
        yield f"{path}: the schema refuses it: {schema}"


def check_refuse(path, parser, schema, update):
    expected = path[: -len(".yaml")] + ".txt"
    with open(path, "rb") as file:
        marked = b"# no schema: " in file.readline()
    if parser == "accepted\n":
        yield f"{path}: the parser accepts it"
    if schema is None and not marked:
        yield f"{path}: the schema accepts it"
    if schema is not None and marked:
        yield f"{path}: marked 'no schema', but the schema sees it: {schema}"
    if update:
        with open(expected, "w", encoding="utf-8") as file:
            file.write(parser)
    elif not os.path.exists(expected):
        yield f"{expected} is missing; --update writes it"
    elif open(expected, encoding="utf-8").read() != parser:
        yield f"{path}: other mistakes than in {os.path.basename(expected)}:\n{parser}"


def main():
    program, update = os.path.abspath(sys.argv[1]), "--update" in sys.argv[2:]
    os.chdir(CASES)
    schema, validator = make_validator()
    accept, refuse = sorted(glob.glob("accept/*.yaml")), sorted(glob.glob("refuse/*.yaml"))
    answers = parser_says(program, accept + refuse)
    with open(MANUAL, encoding="utf-8") as file:
        manual = file.read()
    cases = {
        "keys": check_keys(program, schema, manual),
        "examples": list(check_examples(program, validator, manual)),
    }
    for path in accept:
        cases[path] = list(check_accept(path, answers[path], schema_says(validator, path)))
    for path in refuse:
        schema_answer = schema_says(validator, path)
        cases[path] = list(check_refuse(path, answers[path], schema_answer, update))
    failed = 0
    for problems in cases.values():
        failed += bool(problems)
        for problem in problems:
            print("FAIL", problem)
    print(f"{len(cases) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
