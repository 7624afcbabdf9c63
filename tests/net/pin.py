#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does the installed OS get the address that the initramfs had? With real parts: dnsmasq serves a
veth pair, the agent's own DHCP client takes a lease (nettool), the link goes down and is renamed as
udev would, step network edits a Debian 13 root, and that root's own systemd-networkd,
NetworkManager, netplan or ifupdown (with dhclient, dhcpcd or udhcpc) brings the link up.

  pin.py NETTOOL STEP_RUN [SCENARIO...]     as root; the root is made once by mmdebstrap

Each manager runs unpinned too where its default is another client identifier: that run must get
another address, or this test proves nothing.

A veth is not quite a NIC: it has a kind and no permanent MAC, so `Kind=!*` and
`PermanentMACAddress=` of systemd's .network files are put into words that fit a veth before
networkd reads them. The unchanged files are proven with a virtio NIC by the scenarios of qemu/.
"""
import hashlib
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
MAC = "52:54:00:12:34:56"
FIXED = "ip=192.0.2.33::192.0.2.1:255.255.255.0::eth0:off"
WORK = "/mnt"  # a tmpfs there, seen by nobody else
SUITE = "trixie"
PACKAGES = ("systemd dbus dhcpcd-base isc-dhcp-client udhcpc ifupdown network-manager netplan.io "
            "iproute2").split()
DHCPD = ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=srv",
         "--bind-interfaces", "--user=root", "--dhcp-authoritative",
         "--dhcp-range=192.0.2.50,192.0.2.200,255.255.255.0,1h"]

NETWORKD_FIT = r"""
for file in /etc/systemd/network/*promenade*.network /run/systemd/network/*.network; do
    [ -e "$file" ] && sed -i 's/^Kind=!\*$/Kind=veth/; s/^PermanentMACAddress=/MACAddress=/' "$file"
done
mkdir -p /run/systemd/netif/links /run/systemd/netif/leases
chown -R systemd-network: /run/systemd/netif
SYSTEMD_LOG_COLOR=0 SYSTEMD_LOG_TARGET=console exec /usr/lib/systemd/systemd-networkd
"""
IFUP = "mkdir -p /run/network; ip link set lo up; ifup -a; exec sleep 1000"
# As udev starts it for a link that is plugged in (ifup@ens3.service).
HOTPLUG = "mkdir -p /run/network; ip link set lo up; ifup --allow=hotplug ens3; exec sleep 1000"
NM = "mkdir -p /run/dbus; dbus-daemon --system; exec NetworkManager --no-daemon"
NETPLAN = "/usr/libexec/netplan/generate || exit\n" + NETWORKD_FIT

NETWORKD_FILES = {"etc/systemd/network/20-wired.network":
                  "[Match]\nName=en*\n[Network]\nDHCP=yes\n"}
NETPLAN_FILES = {"etc/netplan/50-cloud-init.yaml":
                 "network:\n  version: 2\n  ethernets:\n    ens3:\n      dhcp4: true\n"}
NM_FILES = {"etc/NetworkManager/system-connections/wired.nmconnection":
            "[connection]\nid=wired\ntype=ethernet\ninterface-name=ens3\n"
            "[ipv4]\nmethod=auto\ndhcp-client-id=duid\n"}
# ens4 is another link of the machine: what the OS says of it must go on to hold.
AUTO = {"etc/network/interfaces": "source /etc/network/interfaces.d/*\nauto lo\n"
        "iface lo inet loopback\nauto ens3\niface ens3 inet dhcp\n"
        "auto ens4\niface ens4 inet static\n  address 198.51.100.2/24\n"}
ALLOW_HOTPLUG = {"etc/network/interfaces": "auto lo\niface lo inet loopback\n"
                 "allow-hotplug ens3\niface ens3 inet dhcp\n"}
# The OS knows the NIC by a name that it does not have any more.
OLD_NAME = {"etc/network/interfaces": "source /etc/network/interfaces.d/*\nauto lo\n"
            "iface lo inet loopback\niface eth0 inet dhcp\n"}

ONLY = {"dhclient": ["udhcpc", "dhcpcd"], "dhcpcd": ["dhclient", "udhcpc"],
        "udhcpc": ["dhclient", "dhcpcd"]}

# name: (manager, files of the OS, what starts it, DHCP client left in the root, unpinned differs)
SCENARIOS = {
    "networkd": ("networkd", NETWORKD_FILES, NETWORKD_FIT, None, True),
    "networkmanager": ("networkmanager", NM_FILES, NM, None, True),
    "netplan": ("netplan", NETPLAN_FILES, NETPLAN, None, True),
    "ifupdown-dhclient": ("ifupdown", AUTO, IFUP, "dhclient", True),
    "ifupdown-dhclient-hotplug": ("ifupdown", ALLOW_HOTPLUG, HOTPLUG, "dhclient", True),
    "ifupdown-dhcpcd": ("ifupdown", AUTO, IFUP, "dhcpcd", True),
    "ifupdown-udhcpc": ("ifupdown", AUTO, IFUP, "udhcpc", False),
    "ifupdown-old-name": ("ifupdown", OLD_NAME, IFUP, "dhclient", False),
}


def run(*argv, check=True, **options):
    return subprocess.run([str(a) for a in argv], check=check, text=True, capture_output=True,
                          timeout=120, **options)


def prepare_root():
    """A Debian root, made once and never written to again (overlayfs lies over it)."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    key = hashlib.sha256(" ".join([SUITE, *PACKAGES]).encode()).hexdigest()[:12]
    root = cache / "promenade" / f"pin-root-{key}"
    if root.exists():
        return root
    apt = TOP / "agent" / "deps" / "apt.sh"
    making = pathlib.Path(f"{root}.{os.getpid()}")
    making.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".list") as sources:
        sources.write(run("sh", apt, "sources", SUITE).stdout)
        sources.flush()
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase",
                        "--aptopt=APT::Install-Recommends false",
                        "--keyring=" + run("sh", apt, "keyring", SUITE).stdout.strip(),
                        "--include=" + ",".join(PACKAGES), SUITE, str(making), sources.name],
                       check=True, timeout=600)
    making.rename(root)
    return root


class Rig:
    """A server's and a machine's network namespace, joined by a veth pair."""

    def __init__(self, work, root):
        self.work = work
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "1000"])
        self.processes = [self.holder]
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == own:
            time.sleep(0.01)
        run("ip", "link", "add", "srv", "type", "veth", "peer", "name", "eth0", "address", MAC,
            "netns", self.holder.pid)
        self.inside("ip", "link", "add", "ens4", "type", "veth", "peer", "name", "ens4peer")
        run("ip", "address", "add", "192.0.2.1/24", "dev", "srv")
        run("ip", "link", "set", "srv", "up")
        self.leases = work / "leases"
        with open(work / "dnsmasq.log", "w", encoding="utf-8") as log:
            self.processes.append(subprocess.Popen(
                [*DHCPD, f"--dhcp-leasefile={self.leases}"], stdout=log, stderr=log))
        self.root = work / "root"
        for name in ("upper", "over", "root", "run"):
            (work / name).mkdir()
        run("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={root},upperdir={work}/upper,workdir={work}/over", self.root)

    def close(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        run("ip", "link", "delete", "srv", check=False)
        run("umount", "--recursive", "--lazy", self.root, check=False)

    def inside(self, *argv, **options):
        return run("nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *argv, **options)

    def initramfs(self, nettool, arguments):
        """What the agent's network layer says it has, then the link down as before the pivot."""
        said = self.inside(nettool, self.work / "run", "up", "mac=" + MAC, "timeout=30000",
                           *arguments).stdout
        facts = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        self.inside("ip", "address", "flush", "dev", "eth0")
        self.inside("ip", "link", "set", "eth0", "down")
        self.inside("ip", "link", "set", "eth0", "name", "ens3")
        return facts

    def pin(self, step_run, manager, facts):
        address, prefix_len = facts["address"].split("/")
        lines = [f"target.network_manager={manager}", "lease.known=true", "lease.link=eth0",
                 f"lease.mac={MAC}", f"lease.address={address}", f"lease.prefix_len={prefix_len}",
                 f"lease.gateway={facts['gateway']}"]
        if facts["client_id"]:
            lines.append(f"lease.client_id={facts['client_id']}")
        (self.work / "facts").write_text("\n".join(lines) + "\n")
        (self.work / "role").write_text("apiVersion: promenade/v1\nkind: Role\nname: n1\n"
                                        "os:\n  root: {label: root}\n")
        return run(step_run, "/", self.root, self.work / "role", self.work / "facts",
                   "network").stdout

    def start_os(self, script):
        """The root's own manager, with what a container manager would mount for it: sysfs read-only
        is the documented sign that no udev is to be waited for."""
        prelude = ('cd "$1" && mount -t proc proc proc && mount -t sysfs -o ro sysfs sys && '
                   'mount -t tmpfs tmpfs run && mount --bind /dev dev && '
                   'exec chroot . /bin/sh -c "$2"')
        with open(self.work / "os.log", "w", encoding="utf-8") as log:
            self.processes.append(subprocess.Popen(
                ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "unshare", "--mount", "--pid",
                 "--fork", "--kill-child", "sh", "-c", prelude, "sh", str(self.root), script],
                stdout=log, stderr=log))

    def wait_address(self, link, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = self.inside("ip", "-4", "-o", "address", "show", "dev", link).stdout
            found = re.search(r"inet (\S+)/\d+ ", shown)
            if found:
                return found.group(1)
            time.sleep(0.2)
        return None

    def leased(self):
        """address -> client identifier, as dnsmasq wrote them down."""
        rows = [line.split() for line in self.leases.read_text().splitlines()]
        return {row[2]: row[4] for row in rows if len(row) == 5 and row[1] == MAC}


def set_up_os(rig, files, client):
    (rig.root / "etc/machine-id").write_text(secrets.token_hex(16) + "\n")  # as PID 1 would
    for path, text in files.items():
        dest = rig.root / path
        dest.parent.mkdir(parents=True, exist_ok=True)
        dest.write_text(text)
        dest.chmod(0o644 if dest.suffix == ".network" else 0o600)
    for name in ONLY.get(client, []):
        for folder in ("usr/sbin", "usr/bin"):
            (rig.root / folder / name).unlink(missing_ok=True)


def attempt(name, tools, root, mode):
    """None, or what is wrong. mode: pinned, fixed (address by ip=) or unpinned."""
    manager, files, script, client, _ = SCENARIOS[name]
    with tempfile.TemporaryDirectory(dir=WORK) as tmp:
        rig = Rig(pathlib.Path(tmp), root)
        try:
            facts = rig.initramfs(tools[0], [FIXED] if mode == "fixed" else [])
            before = facts["address"].split("/")[0]
            set_up_os(rig, files, client)
            said = rig.pin(tools[1], manager, facts) if mode != "unpinned" else ""
            rig.start_os(script)
            after = rig.wait_address("ens3")
            leased = rig.leased()
            wrong = judge(mode, before, after, leased)
            if not wrong and files is AUTO and rig.wait_address("ens4") != "198.51.100.2":
                wrong = "the other link of the machine lost its own address"
            if wrong:
                log = (rig.work / "os.log").read_text()[-3000:]
                return f"{wrong}\nleases: {leased}\n{said}{log}"
            print(f"    {name} {mode}: {before} -> {after}, leases {leased}")
            return None
        finally:
            rig.close()


def judge(mode, before, after, leased):
    if mode == "unpinned":
        return None if after and after != before else \
            f"unpinned it got {after} too: this scenario proves nothing"
    if after != before:
        return f"the initramfs had {before}, the OS has {after}"
    if mode == "fixed":
        return f"a lease was taken: {leased}" if leased else None
    if list(leased.values()) != ["01:" + MAC]:
        return "not one lease with the client identifier 01 and the MAC"
    return None


def inside(tools, root, names):
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "tmpfs", WORK)
    run("ip", "link", "set", "lo", "up")
    passed = failed = 0
    for name in names or SCENARIOS:
        modes = ["pinned", "fixed"] + (["unpinned"] if SCENARIOS[name][4] else [])
        for mode in modes:
            wrong = attempt(name, tools, root, mode)
            if wrong:
                failed += 1
                print(f"FAIL net/pin {name} {mode}: {wrong}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped", flush=True)
    sys.exit(1 if failed else 0)


def main():
    words = sys.argv[1:]
    if words and words[0] == "--inside":
        inside(words[2:4], pathlib.Path(words[1]), words[4:])
    if len(words) < 2:
        sys.exit("usage: pin.py NETTOOL STEP_RUN [SCENARIO...]")
    count = sum(2 + row[4] for row in SCENARIOS.values())
    missing = [tool for tool in ("dnsmasq", "mmdebstrap", "ip") if not shutil.which(tool)]
    if os.geteuid() != 0 or missing:
        print("net/pin: needs root" if os.geteuid() else f"net/pin: not installed: {missing}")
        print(f"0 passed, 0 failed, {count} skipped")
        return
    root = prepare_root()
    tools = [os.path.abspath(word) for word in words[:2]]
    # Everything started within dies with the last of these namespaces.
    os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
                          "--mount-proc", sys.executable, os.path.abspath(__file__), "--inside",
                          str(root), *tools, *words[2:]])


if __name__ == "__main__":
    main()
