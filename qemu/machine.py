# SPDX-License-Identifier: MIT
"""One virtual machine: its command line, its console, its virtio-serial ports, its end.

QEMU runs as the caller, on user networking; nothing here needs root. The verdict of a boot comes
over the port org.promenade.verdict, written by the installed OS; org.promenade.agent is there for
an agent that opens it. The console is kept in a file and never decides more than that a machine
waits on purpose or has panicked.
"""
import dataclasses
import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import time

import accel

OVMF_CODE = ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd")
HOST_ADDRESS = "10.0.2.2"  # the host's loopback, as slirp's guests see it
DEFAULT_MAC = "52:54:00:70:72:01"
DEFAULT_UUID = "4c4c4544-0050-524f-4d45-4e4144450001"

# Terminal control: ESC [ ... letter, strings of ESC P/] ... ESC \\ or BEL, two-byte sequences.
ANSI = re.compile(rb"\x1b(\[[0-9;:?=!]*[a-zA-Z]|[P\]][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]"
                  rb"|[a-zA-Z78=>])|[\x00\x07\x08\x0e\x0f]")
PANIC = re.compile(r"Kernel panic - not syncing: (.*)")


@dataclasses.dataclass
class Spec:
    """What to boot. Every field has the value of the plainest machine."""
    run_dir: str  # console.log and the like go here
    disk: str | None = None  # qcow2 or raw, written to
    disk_bus: str = "virtio"  # virtio, nvme, ahci, scsi
    disk_serial: str = "PROMENADE-DISK-1"
    firmware: str = "bios"  # bios, uefi, none (kernel and initrd given directly)
    tftp: str | None = None  # folder of boot.ipxe, ipxe.efi, autoexec.ipxe
    kernel: str | None = None  # firmware none
    initrd: str | None = None
    cmdline: str = ""
    memory_mib: int = 1536
    cpus: int = 2
    accel: str = "tcg"
    mac: str = DEFAULT_MAC
    uuid: str = DEFAULT_UUID
    serial: str = "RIG 1"
    extra_nics: int = 0  # more NICs, on networks with nobody else
    rtc: str | None = None  # -rtc base=
    watchdog: bool = False
    may_reboot: bool = False  # else a reboot ends the machine
    smbios_credentials: dict = dataclasses.field(default_factory=dict)  # type 11 strings
    fw_cfg: dict = dataclasses.field(default_factory=dict)  # name -> file
    extra: list = dataclasses.field(default_factory=list)  # QEMU arguments, last


@dataclasses.dataclass
class Outcome:
    """How a boot ended: verdict, matched, panic, exited or hung; see Machine.run()."""
    kind: str
    seconds: float
    detail: str = ""
    facts: list = dataclasses.field(default_factory=list)  # lines of the verdict port
    agent: list = dataclasses.field(default_factory=list)  # lines of the agent's port
    quiet_seconds: float = 0.0  # since the console's last byte


def make_overlay(base, path):
    """A qcow2 whose unwritten sectors are those of the raw disk base; replaces path."""
    if os.path.exists(path):
        os.remove(path)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
                    "-b", os.path.abspath(base), path], check=True)


def _disk_arguments(spec):
    fmt = "qcow2" if spec.disk.endswith(".qcow2") else "raw"
    # cache=unsafe: QEMU itself is not what crashes here, and a killed QEMU loses nothing that
    # the guest has handed over.
    args = ["-drive", f"if=none,id=d0,file={spec.disk},format={fmt},cache=unsafe,discard=unmap"]
    serial = f"serial={spec.disk_serial}"
    bus = {
        "virtio": ["-device", f"virtio-blk-pci,drive=d0,{serial[:27]}"],
        "nvme": ["-device", f"nvme,drive=d0,{serial}"],
        "ahci": ["-device", "ich9-ahci,id=ahci0",
                 "-device", f"ide-hd,bus=ahci0.0,drive=d0,{serial}"],
        "scsi": ["-device", "virtio-scsi-pci,id=scsi0",
                 "-device", f"scsi-hd,bus=scsi0.0,drive=d0,{serial}"],
    }
    return args + bus[spec.disk_bus]


def _network_arguments(spec):
    netdev = "user,id=n0"
    if spec.tftp:
        boot_file = "ipxe.efi" if spec.firmware == "uefi" else "boot.ipxe"
        netdev += f",tftp={spec.tftp},bootfile={boot_file}"
    # OVMF brings its own virtio driver; newer QEMU ROMs for UEFI are drivers only and older ones
    # a whole iPXE, so neither is used: ipxe.efi is chained from TFTP.
    rom = ",romfile=" if spec.firmware != "bios" else ""
    args = ["-netdev", netdev,
            "-device", f"virtio-net-pci,netdev=n0,mac={spec.mac},addr=0x3,bootindex=1{rom}"]
    for number in range(spec.extra_nics):
        mac = spec.mac[:-2] + f"{0x10 + number:02x}"
        args += ["-netdev", f"user,id=x{number},restrict=on",
                 "-device", f"virtio-net-pci,netdev=x{number},mac={mac},romfile="]
    return args


def _firmware_arguments(spec):
    if spec.firmware == "bios":
        return ["-machine", "pc,graphics=off"]
    if spec.firmware == "none":
        return ["-machine", "pc,graphics=off", "-kernel", spec.kernel, "-append", spec.cmdline] + (
            ["-initrd", spec.initrd] if spec.initrd else [])
    code = next((path for path in OVMF_CODE if os.path.exists(path)), None)
    if not code:
        raise SystemExit("no UEFI firmware found: install the package 'ovmf'")
    variables = os.path.join(spec.run_dir, "efivars.fd")
    if not os.path.exists(variables):
        shutil.copyfile(code.replace("CODE", "VARS"), variables)
    # Without an entropy source OVMF leaves its PXE client out.
    return ["-machine", "q35,graphics=off", "-device", "virtio-rng-pci",
            "-drive", f"if=pflash,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,format=raw,file={variables}"]


def _identity_arguments(spec):
    args = ["-smbios", f"type=1,manufacturer=Promenade,product=Rig,uuid={spec.uuid},"
            f"serial={spec.serial.replace(',', ',,')}"]
    for name, value in spec.smbios_credentials.items():
        args += ["-smbios", f"type=11,value=io.systemd.credential:{name}={value}".replace(",", ",,")
                 .replace("type=11,,", "type=11,")]
    for name, path in spec.fw_cfg.items():
        args += ["-fw_cfg", f"name={name},file={path}"]
    return args


def command_line(spec, verdict_fd, agent_fd, qmp_fd):
    """The QEMU arguments of a spec. The three descriptors are connected sockets QEMU inherits."""
    args = [accel.QEMU, "-accel", *accel.ARGUMENTS[spec.accel], "-cpu", accel.CPU[spec.accel],
            "-smp", str(spec.cpus), "-m", str(spec.memory_mib), "-nodefaults", "-no-user-config",
            "-display", "none", "-action", f"reboot={'reset' if spec.may_reboot else 'shutdown'}",
            "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
            "-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=verdict,fd={verdict_fd}",
            "-device", "virtserialport,chardev=verdict,name=org.promenade.verdict",
            "-chardev", f"socket,id=agent,fd={agent_fd}",
            "-device", "virtserialport,chardev=agent,name=org.promenade.agent"]
    args += _firmware_arguments(spec) + _identity_arguments(spec) + _network_arguments(spec)
    if spec.disk:
        args += _disk_arguments(spec)
    if spec.rtc:
        # Without -kvmclock the guest would take the host's time all the same.
        args += ["-rtc", f"base={spec.rtc}"]
        args[args.index("-cpu") + 1] += ",-kvmclock"
    if spec.watchdog:
        args += ["-device", "i6300esb", "-action", "watchdog=poweroff"]
    return args + spec.extra


class Lines:
    """Cuts a byte stream into lines; a carriage return ends a line that will be overwritten."""

    def __init__(self):
        self._rest = b""

    def feed(self, data):
        """Yields (line, transient)."""
        self._rest += data
        while True:
            # A terminal that adds a carriage return to a writer's own leaves two of them.
            match = re.search(rb"\r*\n|\r(?=[^\r\n])", self._rest)
            if not match:
                return
            line, self._rest = self._rest[:match.start()], self._rest[match.end():]
            yield ANSI.sub(b"", line).decode(errors="replace").rstrip(), b"\n" not in match.group()


class Machine:
    """A running QEMU. Use as a context manager: leaving it ends QEMU and closes the files."""

    def __init__(self, spec):
        self.spec = spec
        os.makedirs(spec.run_dir, exist_ok=True)
        self.started = time.monotonic()
        self._log = open(os.path.join(spec.run_dir, "console.log"), "wb")
        pairs = {name: socket.socketpair() for name in ("verdict", "agent", "qmp")}
        fds = {name: theirs.fileno() for name, (_, theirs) in pairs.items()}
        self.command = command_line(spec, fds["verdict"], fds["agent"], fds["qmp"])
        with open(os.path.join(spec.run_dir, "qemu.log"), "wb") as errors:
            errors.write((" ".join(self.command) + "\n").encode())
            errors.flush()
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                pass_fds=list(fds.values()))
        self._sockets = {}
        for name, (ours, theirs) in pairs.items():
            theirs.close()
            self._sockets[name] = ours
        self._qmp = self._sockets["qmp"].makefile("rwb")
        self._qmp_ready = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._qmp.close()
        for ours in self._sockets.values():
            ours.close()
        self._log.close()

    def qmp(self, command, **arguments):
        """One QMP command and its answer. Blocks at most 10 s; OSError when QEMU has gone."""
        self._sockets["qmp"].settimeout(10)
        if not self._qmp_ready:
            self._qmp.readline()
            self._qmp_ready = True
            self.qmp("qmp_capabilities")
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        self._qmp.write(json.dumps(request).encode() + b"\n")
        self._qmp.flush()
        while True:
            line = self._qmp.readline()
            if not line:
                raise OSError("QEMU has ended")
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise OSError(f"QMP {command}: {answer['error']['desc']}")

    def sectors_written(self):
        """Sectors the guest has written to its disk so far, by QEMU's own count."""
        for device in self.qmp("query-blockstats"):
            if device.get("device") == "d0" or "d0" in device.get("qdev", ""):
                return device["stats"]["wr_bytes"] // 512
        return 0

    def kill(self):
        """A power cut."""
        self.process.kill()

    def run(self, limit, until=None, on_line=None, keep_running=False):
        """Watches the machine until it ends, for limit seconds at most.

        until: regular expression; a console line that matches ends the run as "matched".
        on_line: called with (machine, line, transient) for each console line, also with partial
        ones that a carriage return ends. keep_running: "verdict" does not wait for power-off.

        "verdict": the installed OS has said everything; "panic": the kernel's words are in
        detail; "exited": QEMU ended without a verdict; "hung": the time was up.
        """
        watch = _Watch(self, re.compile(until) if until else None, on_line, keep_running)
        return watch.run(limit)


class _Watch:
    """One Machine.run(): multiplexes console and ports."""

    def __init__(self, machine, until, on_line, keep_running):
        self.machine = machine
        self.until = until
        self.on_line = on_line
        self.keep_running = keep_running
        self.console = Lines()
        self.ports = {"verdict": Lines(), "agent": Lines()}
        self.outcome = None
        self.facts = []
        self.agent = []
        self.complete = False
        self.last_byte = time.monotonic()

    def run(self, limit):
        machine = self.machine
        deadline = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(machine.process.stdout, selectors.EVENT_READ, "console")
            for name in self.ports:
                selector.register(machine._sockets[name], selectors.EVENT_READ, name)
            while self.outcome is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    self._end("hung", f"nothing more within {limit} s")
                    break
                for key, _ in selector.select(min(left, 1.0)):
                    self._read(selector, key)
        self.outcome.facts, self.outcome.agent = self.facts, self.agent
        return self.outcome

    def _end(self, kind, detail=""):
        if self.outcome is None:
            now = time.monotonic()
            self.outcome = Outcome(kind, now - self.machine.started, detail,
                                   quiet_seconds=now - self.last_byte)

    def _read(self, selector, key):
        data = os.read(key.fd, 65536)
        if not data:
            selector.unregister(key.fileobj)
            if key.data == "console":
                self._qemu_ended()
        elif key.data == "console":
            self.last_byte = time.monotonic()
            self.machine._log.write(data)
            self.machine._log.flush()
            for line, transient in self.console.feed(data):
                self._console_line(line, transient)
        else:
            for line, _ in self.ports[key.data].feed(data):
                self._port_line(key.data, line)

    def _qemu_ended(self):
        status = self.machine.process.wait()
        if self.complete:
            self._end("verdict")
        elif self.outcome is None:
            with open(os.path.join(self.machine.spec.run_dir, "qemu.log"), "rb") as file:
                last = file.read().decode(errors="replace").strip().splitlines()[1:][-1:]
            self._end("exited", f"QEMU ended with status {status} and no verdict"
                      + (f": {last[0]}" if last else ""))

    def _console_line(self, line, transient):
        if self.on_line:
            self.on_line(self.machine, line, transient)
        panic = PANIC.search(line)
        if panic:
            self._end("panic", panic.group(1))
        elif self.until and self.until.search(line):
            self._end("matched", line)

    def _port_line(self, port, line):
        if port == "agent":
            self.agent.append(line)
            return
        self.facts.append(line)
        if line == "end":
            self.complete = True
            if self.keep_running:
                self._end("verdict")
