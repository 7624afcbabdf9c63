# SPDX-License-Identifier: MIT
"""What the installed OS said over the verdict port: parsed, and judged point by point."""
import base64
import dataclasses
import json
import re


class Facts:
    """The facts of one boot. text(name) is what the command printed, status(name) how it ended."""

    def __init__(self, lines):
        self._facts = {}
        self.complete = False
        for line in lines:
            words = line.split(" ")
            if words[0] == "fact" and len(words) == 4:
                text = base64.b64decode(words[3]).decode(errors="replace")
                self._facts[words[1]] = (int(words[2]), text)
            elif line == "end":
                self.complete = True

    def text(self, name):
        """The output of a fact's command; empty when it is missing."""
        return self._facts.get(name, (127, ""))[1]

    def status(self, name):
        """The exit status of a fact's command; 127 when it is missing."""
        return self._facts.get(name, (127, ""))[0]

    def names(self):
        """All names, in order of arrival."""
        return list(self._facts)

    def swaps(self):
        """Active swap areas: lines of /proc/swaps without the heading."""
        return self.text("swaps").splitlines()[1:]

    def docker(self):
        """(storage driver, cgroup driver, log driver, version) as docker reports them."""
        words = self.text("docker").split()
        return tuple(words) if self.status("docker") == 0 and len(words) == 4 else None

    def snapshotter(self):
        """The CRI plugin's snapshotter, as containerd prints its configuration."""
        match = re.search(r'^\s*snapshotter = "([^"]+)"', self.text("containerd"), re.M)
        return match.group(1) if match else None

    def snapshotter_state(self, name):
        """State of a snapshot plugin as the running containerd lists it: ok, skip, error."""
        for line in self.text("ctrplugins").splitlines():
            words = line.split()
            if len(words) >= 4 and words[0] == "io.containerd.snapshotter.v1" and words[1] == name:
                return words[-1]
        return None

    def cni(self):
        """Plugin file -> the line that it prints about itself."""
        pairs = (line.split(": ", 1) for line in self.text("cni").splitlines() if ": " in line)
        return dict(pairs)

    def addresses(self, mac):
        """Global IPv4 addresses with prefix length of the NIC with this MAC."""
        try:
            links = json.loads(self.text("addr"))
        except ValueError:
            return []
        return [f"{a['local']}/{a['prefixlen']}" for link in links
                if link.get("address") == mac.lower()
                for a in link.get("addr_info", []) if a["family"] == "inet"]

    def unit(self, name):
        """(enabled, active) words of systemctl; empty strings when unknown."""
        for line in self.text("units").splitlines():
            words = line.split(" ")
            if words[0] == name:
                return (words + ["", ""])[1:3]
        return ["", ""]

    def early_sectors_written(self, disk):
        """Sectors written before the installed OS wrote its first: the device's own counter."""
        for line in self.text("early").splitlines():
            words = line.split()
            if words and words[0] == disk and len(words) > 7:
                return int(words[7])
        return None


@dataclasses.dataclass
class Point:
    """One line of the verdict."""
    what: str
    found: str
    wanted: str
    good: bool


def table(points):
    """The points as a table for people."""
    rows = [("", "what", "found", "wanted")]
    rows += [("ok" if p.good else "NOT", p.what, p.found or "-", p.wanted) for p in points]
    widths = [min(max(len(row[i]) for row in rows), 70) for i in range(4)]
    lines = []
    for row in rows:
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
