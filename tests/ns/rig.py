# SPDX-License-Identifier: MIT
"""A machine for the whole agent in namespaces: PID 1, the real worker, a real DHCP server and a real
HTTPS server at the other end of a veth, and an installed OS to find, prepare and pivot into.

Two kinds of disk. "loop": a loop device with a real file system, the release binary, root. "folder":
a directory (a tmpfs) that stands for the partition, in a user namespace where no block device can be
mounted; the sanitized binary with tests/fake/boot_seams.c turns that one mount into a bind mount.

main() of a program that uses this runs itself again in the namespaces that it needs: enter()."""
import hashlib
import http.server
import io
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
AGENTS = {"loop": os.path.join(TOP, "build/promenade"),
          "folder": os.path.join(TOP, "build/host/promenade-boot")}
NEW_INIT = os.path.join(TOP, "build/musl/ns/pid1")
SERVER, NETWORK, PORT = "192.0.2.1", "192.0.2", 8443
MIB = 1 << 20

# An installed Debian as far as the steps look at it.
TREE = {
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian 13"\n',
    "etc/fstab": "LABEL=root / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 debian\n",
    "etc/hostname": "debian\n",
    "etc/docker/daemon.json": '{\n  "log-driver": "json-file",\n  "storage-driver": "aufs"\n}\n',
    "etc/systemd/zram-generator.conf": "[zram0]\nzram-size = ram / 2\n",
    "usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/sbin/dockerd -H fd://\n",
    "usr/lib/systemd/systemd-networkd": "#!/bin/true\n",
    "usr/sbin/dockerd": "#!/bin/true\n",
    "opt/cni/bin/operators-own": "kept\n",
    "var/lib/dpkg/status": "Package: docker.io\nStatus: install ok installed\nVersion: 26.1.5\n\n",
    f"usr/lib/modules/{os.uname().release}/modules.dep": "kernel/fs/overlayfs/overlay.ko:\n",
}
DIRECTORIES = ["etc/systemd/network", "etc/systemd/system/multi-user.target.wants", "proc", "sys",
               "dev", "run", "tmp", "root", "sbin", "usr/local/sbin", "usr/local/bin", "var/log"]

ROLE = """apiVersion: promenade/v1
kind: Role
name: {name}
serial: {serial}
checks:
  nic: {{broadcom: ignore}}
os:
  root: {{label: {label}}}
  pivot: {pivot}
node:
  swap: disabled
  engine: {{name: docker, storageDriver: overlay2}}
  files:
    - {{path: /etc/motd, content: "prepared {serial}\\n", mode: "0644"}}
{files}
artifacts:
  - {{url: "{base}/tool", sha256: "{tool}", path: /usr/local/bin/tool, mode: "0755"}}
cni:
  plugins: {{url: "{base}/cni.tgz", sha256: "{cni}", dir: /opt/cni/bin}}
"""

NGINX = """
user root root; daemon off; master_process off; worker_processes 1; pid {run}/pid; error_log {run}/error.log info;
events {{ worker_connections 64; }}
http {{
	client_body_temp_path {run}/t1; proxy_temp_path {run}/t2; fastcgi_temp_path {run}/t3;
	uwsgi_temp_path {run}/t4; scgi_temp_path {run}/t5;
	access_log {run}/access.log; default_type application/octet-stream;
	server {{
		listen {address}:{port} ssl;
		ssl_certificate {run}/server.crt; ssl_certificate_key {run}/server.key;
		root {files};
	}}
}}
"""

# $1 the initramfs, $2 the agent, $3 the machine's folder, $4 "loop" or "folder". One line on stdin
# says that the NIC is there. Nothing of the host can be reached: files for /dev/kmsg and the command
# line, an empty list of swaps, the kernel's own sysctls read-only, one disk in /sys/block.
SETUP = r"""
set -e
mount --make-rprivate /
mount -t tmpfs none "$1"
cp "$2" "$1/init"
for d in proc sys dev run sysroot etc tmp out disks disks/vda promenade promenade/policy; do
    mkdir "$1/$d"
done
cp -r "$3/ca" "$1/promenade/policy/ca"
mount --bind "$3/out" "$1/out"
[ "$4" = loop ] || mount --rbind "$3/disk" "$1/disks/vda"
if [ -e "$3/libs" ]; then
    mkdir "$1/libs" "$1/lib64"; mount --bind "$3/libs" "$1/libs"
    cp "$3"/libs/ld-* "$1/lib64/"; export LD_LIBRARY_PATH=/libs
fi
[ ! -e "$3/armed" ] || mv "$3/armed" "$1/armed"
mount -t tmpfs none "$1/dev"
for node in null zero random urandom; do
    touch "$1/dev/$node"; mount --bind /dev/$node "$1/dev/$node"
done
touch "$1/dev/kmsg" "$1/dev/console" "$1/dev/vda"
mount --bind "$3/kmsg" "$1/dev/kmsg"
mount --bind "$3/console" "$1/dev/console"
if [ "$4" = loop ]; then rm "$1/dev/vda"; mknod "$1/dev/vda" b 7 "${5#/dev/loop}"
else mount --bind "$3/superblock" "$1/dev/vda"; fi
mount -t proc none "$1/proc"
mount --bind "$3/cmdline" "$1/proc/cmdline"
[ ! -e /proc/swaps ] || mount --bind "$3/swaps" "$1/proc/swaps"
mount --bind "$1/proc/sys/kernel" "$1/proc/sys/kernel"
mount -o remount,bind,ro "$1/proc/sys/kernel"
mount --bind "$3/printk" "$1/proc/sys/kernel/printk"
mount -t sysfs none "$1/sys"
[ ! -e "$1/sys/class/tty/console/active" ] ||
    mount --bind "$3/active" "$1/sys/class/tty/console/active"
mount -t tmpfs none "$1/sys/block"
mount -t tmpfs none "$1/sys/class/block"; ln -s ../../block/vda "$1/sys/class/block/vda"
mkdir -p "$1/sys/block/vda/device"
echo "$6" >"$1/sys/block/vda/size"; echo 0 >"$1/sys/block/vda/ro"
touch "$1/sys/block/vda/stat"
[ "$4" != loop ] || mount --bind "/sys/block/${5#/dev/}/stat" "$1/sys/block/vda/stat"
echo ready; read -r line
cd "$1"
exec setpriv --bounding-set=-sys_time,-sys_module,-sys_rawio chroot . /init
"""


def run(*words, **more):
    """Output of a command that must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, **more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def enter(kind):
    """Runs this program again in namespaces of its own, unless it is there."""
    if os.environ.get("NS_RIG") == kind:
        run("mount", "--make-rprivate", "/")
        run("mount", "-t", "tmpfs", "none", "/run")
        run("ip", "link", "set", "lo", "up")
        return
    user = ["--user", "--map-root-user"] if kind == "folder" else []
    os.execvpe("unshare", ["unshare", *user, "--mount", "--net", "--pid", "--fork", "--mount-proc",
                           "--kill-child=SIGKILL", sys.executable, *sys.argv],
               {**os.environ, "NS_RIG": kind})


def archive():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for name in ("bridge", "loopback"):
            data = f"#!/bin/true {name}\n".encode() * 400
            info = tarfile.TarInfo("./" + name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def make_tree(path):
    for name in DIRECTORIES:
        os.makedirs(os.path.join(path, name), exist_ok=True)
    for name, text in TREE.items():
        full = os.path.join(path, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as out:
            out.write(text)
        if text.startswith("#!"):
            os.chmod(full, 0o755)
    os.symlink("usr/lib", os.path.join(path, "lib"))
    shutil.copy(NEW_INIT, os.path.join(path, "usr/lib/systemd/systemd"))
    os.symlink("/usr/lib/systemd/systemd", os.path.join(path, "sbin/init"))
    os.symlink("/usr/lib/systemd/system/systemd-networkd.service", os.path.join(
        path, "etc/systemd/system/multi-user.target.wants/systemd-networkd.service"))


def tree_of(path):
    """path -> kind, mode, content; without journals and stamps, whose times differ."""
    found = {}
    for folder, names, files in os.walk(path):
        for name in names + files:
            full = os.path.join(folder, name)
            key = os.path.relpath(full, path)
            if key.startswith(("var/lib/promenade/journal", "var/lib/promenade/artifacts/",
                               "lost+found")):
                continue
            info = os.lstat(full)
            if os.path.islink(full):
                found[key] = ("link", os.readlink(full))
            elif os.path.isdir(full):
                found[key] = ("dir", oct(info.st_mode))
            else:
                with open(full, "rb") as data:
                    found[key] = ("file", oct(info.st_mode), hashlib.sha256(data.read()).hexdigest())
    return found


def difference(one, other):
    return "; ".join(f"{k}: {one.get(k)} and {other.get(k)}"
                     for k in sorted(set(one) | set(other)) if one.get(k) != other.get(k))


class Servers:
    """dnsmasq and nginx at the other end of machines' links; files/ is what nginx serves."""

    def __init__(self, folder):
        self.folder = folder
        self.files = os.path.join(folder, "files")
        self.processes = {}
        os.makedirs(self.files)
        for name, data in (("tool", b"#!/bin/true\n" * 3000), ("cni.tgz", archive())):
            with open(os.path.join(self.files, name), "wb") as out:
                out.write(data)
        self.make_certificates()
        run("ip", "link", "add", "rig", "type", "bridge")
        run("ip", "address", "add", SERVER + "/24", "dev", "rig")
        run("ip", "link", "set", "rig", "up")

    def make_certificates(self):
        ca = os.path.join(self.folder, "ca")
        os.mkdir(ca)
        key, crt = os.path.join(self.folder, "server.key"), os.path.join(self.folder, "server.crt")
        ca_key, ca_crt = os.path.join(self.folder, "ca.key"), os.path.join(ca, "ca.pem")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7"]
        run("openssl", "req", "-x509", *curve, "-subj", "/CN=rig CA", "-keyout", ca_key, "-out",
            ca_crt, "-addext", "keyUsage=critical,keyCertSign")
        run("openssl", "req", *curve, "-subj", "/CN=server", "-keyout", key, "-out", crt + ".req")
        with open(crt + ".ext", "w", encoding="ascii") as out:
            out.write(f"subjectAltName=IP:{SERVER}\nextendedKeyUsage=serverAuth\n")
        run("openssl", "x509", "-req", "-in", crt + ".req", "-CA", ca_crt, "-CAkey", ca_key, "-days",
            "7", "-CAcreateserial", "-out", crt, "-extfile", crt + ".ext")

    @property
    def base(self):
        return f"https://{SERVER}:{PORT}"

    def digest(self, name):
        with open(os.path.join(self.files, name), "rb") as data:
            return hashlib.sha256(data.read()).hexdigest()

    def role(self, name="role.yaml", **words):
        """Writes a role; what is not given is as the first boot has it."""
        words = {"name": "node-1", "serial": 7, "label": "root", "pivot": "switch-root", "files": "",
                 "base": self.base, "tool": self.digest("tool"), "cni": self.digest("cni.tgz"), **words}
        with open(os.path.join(self.files, name), "w", encoding="utf-8") as out:
            out.write(ROLE.format(**words))

    def start(self, *names):
        for name in names or ("dnsmasq", "nginx"):
            words = self.dnsmasq() if name == "dnsmasq" else self.nginx()
            log = open(os.path.join(self.folder, name + ".log"), "ab")
            with log:
                self.processes[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log,
                                                        stderr=log)
        if not names or "nginx" in names:
            self.await_nginx()

    def await_nginx(self):
        for _ in range(200):
            if re.search(rf":{PORT:04X} 0+:0000 0A", open("/proc/net/tcp", encoding="ascii").read()):
                return
            time.sleep(0.02)
        raise RuntimeError("nginx does not listen: " + open(
            os.path.join(self.folder, "nginx.log"), encoding="utf-8").read())

    def dnsmasq(self):
        return ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=rig",
                "--bind-interfaces", "--user=root", "--dhcp-authoritative", "--no-ping",
                "--log-facility=-", f"--dhcp-leasefile={self.folder}/leases", "--pid-file=",
                f"--dhcp-range={NETWORK}.50,{NETWORK}.200,255.255.255.0,infinite"]

    def nginx(self):
        config = os.path.join(self.folder, "nginx.conf")
        with open(config, "w", encoding="ascii") as out:
            out.write(NGINX.format(run=self.folder, files=self.files, address=SERVER, port=PORT))
        return ["nginx", "-p", self.folder, "-c", config, "-e", self.folder + "/error.log"]

    def stop(self, *names):
        for name in names or list(self.processes):
            process = self.processes.pop(name, None)
            if process:
                process.kill()
                process.wait()


class Boot:
    """One boot: what came of it. verdict is what the new init wrote, a dictionary, or None."""

    def __init__(self, machine, words, fault):
        self.machine, self.verdict, self.status = machine, None, None
        self.console, self.effects = "", []
        self.link = f"m{machine.number}"
        self.started = time.monotonic()
        env = {"PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=0:exitcode=99",
               "UBSAN_OPTIONS": "print_stacktrace=1", **{k: str(v) for k, v in fault.items()}}
        machine.prepare(words, bool(fault))
        self.reader = os.open(machine.path("console"), os.O_RDONLY | os.O_NONBLOCK)
        # A writer of our own: without one, a reader sees the end whenever nobody writes.
        self.writer = os.open(machine.path("console"), os.O_WRONLY)
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child=SIGKILL",
             "sh", "-c", SETUP, "sh", machine.path("root"), machine.agent, machine.folder,
             machine.kind, machine.loop or "", str(machine.sectors)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
        line = self.process.stdout.readline()
        if line != b"ready\n":
            raise RuntimeError((line + self.process.stdout.read()).decode())
        self.plug()

    def plug(self):
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns",
            str(self.process.pid), "address", self.machine.mac)
        run("ip", "link", "set", self.link, "master", "rig", "up")
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def read(self):
        try:
            while True:
                self.console += os.read(self.reader, 65536).decode(errors="replace")
        except BlockingIOError:
            pass

    def ended(self):
        self.read()
        return self.process.poll() is not None

    def await_text(self, text, seconds=30):
        """Waits until the console has text; False when the machine ended or the time did."""
        end = time.monotonic() + seconds
        while text not in self.console:
            if self.ended() or time.monotonic() > end:
                return text in self.console
            time.sleep(0.01)
        return True

    def children(self):
        """Host pids of (PID 1, worker); the worker may be missing."""
        def child(pid):
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as out:
                return [int(n) for n in out.read().split()]
        init = child(self.process.pid)
        return (init + (child(init[0]) if init else []) + [None, None])[:2]

    def kill_worker(self):
        try:
            worker = self.children()[1]
            if worker:
                os.kill(worker, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            return False  # it ended in this very moment
        return worker is not None

    def cut(self):
        """The power is gone: everything ends at this instant."""
        self.process.kill()
        self.finish(5)

    def finish(self, seconds=60):
        """Waits for the end (the new init's, a reboot's) and takes the verdict."""
        end = time.monotonic() + seconds
        while not self.ended() and time.monotonic() < end:
            time.sleep(0.02)
        if self.process.poll() is None:
            self.process.kill()
        else:
            self.status = self.process.returncode
        self.output = self.process.communicate()[0].decode(errors="replace")
        self.seconds = time.monotonic() - self.started
        self.read()
        os.close(self.reader)
        os.close(self.writer)
        subprocess.run(["ip", "link", "del", self.link], stderr=subprocess.DEVNULL, check=False)
        found = re.search(r"^verdict begin\r?\n(.*)^verdict end", self.console, re.M | re.S)
        if found:
            self.verdict = {}
            for line in found.group(1).splitlines():
                key, _, value = line.strip().partition(" ")
                self.verdict.setdefault(key, []).append(value)
        self.machine.collect(self)
        return self


class Machine:
    """A disk with an installed OS on it, and boots of it."""
    numbers = iter(range(1, 1000))

    def __init__(self, servers, kind, filesystem="ext4", extra=None):
        self.number = next(self.numbers)
        self.servers, self.kind, self.filesystem = servers, kind, filesystem
        self.agent = AGENTS[kind]
        self.mac = "52:54:00:12:34:56"  # one machine is up at a time; its MAC is in its files
        self.folder = tempfile.mkdtemp(prefix="machine.", dir=servers.folder)
        self.running = None  # the last boot
        self.loop, self.sectors = None, 64 * MIB // 512
        for name in ("root", "out", "tree"):
            os.mkdir(self.path(name))
        shutil.copytree(os.path.join(servers.folder, "ca"), self.path("ca"))
        for name, text in (("kmsg", ""), ("swaps", "Filename Type Size Used Priority\n"),
                           ("printk", "1 4 1 7\n"), ("active", "console\n")):
            with open(self.path(name), "w", encoding="ascii") as out:
                out.write(text)
        shutil.copy(os.path.join(servers.files, "tool"), self.path("out/agent"))
        os.mkfifo(self.path("console"))
        make_tree(self.path("tree"))
        for name, text in (extra or {}).items():
            os.makedirs(os.path.dirname(os.path.join(self.path("tree"), name)), exist_ok=True)
            with open(os.path.join(self.path("tree"), name), "w", encoding="ascii") as out:
                out.write(text)
        if kind == "loop":
            self.make_disk()
        else:
            self.make_folder()

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_disk(self):
        image = self.path("image")
        size = 64 * MIB if self.filesystem == "ext4" else 320 * MIB
        self.sectors = size // 512
        with open(image, "wb") as out:
            out.truncate(size)
        # The file system is made as installers make it: by its own tool, then filled.
        run(f"mkfs.{self.filesystem}", "-q", *(["-f"] if self.filesystem != "ext4" else []), "-L",
            "root", image)
        with self.mounted() as place:
            run("cp", "-a", self.path("tree") + "/.", place)
        self.loop = run("losetup", "--find", "--show", image).strip()

    def make_folder(self):
        os.mkdir(self.path("disk"))
        # The source's name is what the mount table shows of the partition.
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "/dev/vda", self.path("disk"))
        run("cp", "-a", self.path("tree") + "/.", self.path("disk"))
        with open(self.path("superblock"), "wb") as out:
            out.truncate(4 * MIB)
        run("mkfs.ext4", "-q", "-L", "root", self.path("superblock"))

        # The sanitized agent is linked dynamically.
        os.mkdir(self.path("libs"))
        for library in re.findall(r"(/\S+) \(0x", run("ldd", self.agent)):
            shutil.copy(library, self.path("libs"))

    def sectors_written(self):
        """What the kernel wrote to the disk so far (Documentation/block/stat.rst, field 7)."""
        with open(f"/sys/block/{os.path.basename(self.loop)}/stat", encoding="ascii") as out:
            return int(out.read().split()[6])

    def mounted(self):
        """A context in which the image's file system is at a path; read and write."""
        return _Mounted(self.path("image"), self.path("root"))

    def tree(self):
        if self.kind == "folder":
            return tree_of(self.path("disk"))
        with self.mounted() as place:
            return tree_of(place)

    def prepare(self, words, faulty):
        with open(self.path("cmdline"), "w", encoding="ascii") as out:
            out.write("quiet " + " ".join(words) + "\n")
        open(self.path("kmsg"), "w", encoding="ascii").close()
        if faulty:
            open(self.path("armed"), "w", encoding="ascii").close()
        effects = self.path("out/effects")
        if os.path.exists(effects):
            os.remove(effects)

    def boot(self, *words, **fault):
        """Starts a boot with the usual role URL and further words."""
        url = f"promenade.role={self.servers.base}/role.yaml"
        self.running = Boot(self, [url, "promenade.rolewait=3", *words], fault)
        return self.running

    def collect(self, boot):
        effects = self.path("out/effects")
        if os.path.exists(effects):
            with open(effects, encoding="ascii") as out:
                boot.effects = out.read().split()

    def snapshot(self, boot):
        """The disk as it is on the platter in this moment, then the power is gone. Stopped first, so
        that only the kernel writes; a copy during which it did is made again."""
        for pid in boot.children():
            if pid:
                os.kill(pid, signal.SIGSTOP)
        stat = f"/sys/block/{os.path.basename(self.loop)}/stat"
        before = None
        while before != open(stat, encoding="ascii").read():
            before = open(stat, encoding="ascii").read()
            run("cp", "--sparse=always", self.path("image"), self.path("image.cut"))
        boot.cut()
        self.detach()
        os.replace(self.path("image.cut"), self.path("image"))
        self.loop = run("losetup", "--find", "--show", self.path("image")).strip()

    def detach(self):
        if not self.loop:
            return
        # The mounts of a killed namespace go away a moment after it.
        for _ in range(100):
            run("losetup", "--detach", self.loop)
            if os.path.basename(self.loop) not in run("losetup", "--noheadings", "--output", "NAME"):
                break
            time.sleep(0.02)
        self.loop = None

    def done(self):
        # A test that failed half-way left it up; the next machine has the same address.
        if self.running and self.running.verdict is None and self.running.process.poll() is None:
            self.running.cut()
        self.detach()
        if self.kind == "folder":
            run("umount", self.path("disk"))
        shutil.rmtree(self.folder)


class _Mounted:
    def __init__(self, image, place):
        self.image, self.place = image, place

    def __enter__(self):
        run("mount", "-o", "loop", self.image, self.place)
        return self.place

    def __exit__(self, *_):
        run("umount", self.place)
