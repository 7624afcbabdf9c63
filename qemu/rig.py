# SPDX-License-Identifier: MIT
"""One site to boot machines in: boot server, provisioning server, guest disks, roles.

Everything of a run is below one folder (build/qemu by default): the servers' files and logs, a
folder a boot with console.log, facts and events.
"""
import dataclasses
import os
import shutil
import subprocess
import sys
import time

import accel
import artifacts
import machine
import servers

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(HERE)
sys.path.append(os.path.join(REPOSITORY, "initramfs"))
import kernel_modules  # noqa: E402 (the builder of the initramfs knows kernels and archives)
import newc  # noqa: E402

IPXE = os.path.join(REPOSITORY, "ipxe")
# What the machine is told by iPXE beside the role's URL. The installed OS reads it as well: it
# stays quiet, and TCG need not pay for the mitigations of a CPU that is not there.
# On a busy host an emulated timer is late, and the kernel panics for want of ten ticks ("IO-APIC +
# timer doesn't work!"): no_timer_check, as it has by itself under KVM.
# Devices of an emulated, busy machine may take longer than the 90 s that systemd gives them.
ARGUMENTS = ("console=ttyS0 quiet no_timer_check mitigations=off systemd.show_status=0 "
             "systemd.default_device_timeout_sec=600")

POLICY = """# Made by the rig: its own CA may vouch, and nothing unsigned comes any other way.
require-signature no
unsigned-http no
unsigned-injected no
"""


@dataclasses.dataclass
class Images:
    """What is netbooted."""
    kernel: str
    release: str
    initramfs: str


def find_images(initramfs=None):
    """The initramfs and the kernel beside it, as make initramfs leaves them; else Debian's."""
    path = initramfs or os.path.join(REPOSITORY, "build", "initramfs.cpio.zst")
    if not os.path.exists(path):
        raise SystemExit(f"no initramfs at {path}: run 'make initramfs'")
    kernel = os.path.join(os.path.dirname(path), "vmlinuz")
    if not os.path.exists(kernel):
        kernel = os.path.join(artifacts.kernel_folder(), "vmlinuz")
    return Images(kernel, kernel_modules.release_of_kernel(kernel), path)


def guest_disk(*variant):
    """Folder of the guest made by guest/build.sh for words such as network=ifupdown."""
    output = subprocess.run([os.path.join(HERE, "guest", "build.sh"), *variant], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    return output.strip().splitlines()[-1]


def _write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def supplement(files):
    """A second archive, to be appended to the initramfs: path below /promenade -> bytes."""
    entries = [newc.directory("promenade", 0o700)]
    entries += [newc.regular(path, 0o644, data) for path, data in files.items()]
    return newc.archive(entries, 0)


# A boot sector that says its words: mov si, text; print with int 10h until NUL; halt.
LOCAL_DISK_WORDS = "LOCAL DISK BOOTED"
LOCAL_DISK_CODE = bytes.fromhex("31c08ed8be157cac08c07406b40ecd10ebf5f4ebfd")


class Rig:
    """A site. Use as a context manager: the servers run inside it."""

    def __init__(self, top=None, initramfs=None, say=print):
        self.top = os.path.abspath(top or os.path.join(REPOSITORY, "build", "qemu"))
        self.say = say
        self.images = find_images(initramfs)
        self.boot_root = os.path.join(self.top, "site", "boot")
        self.provision_root = os.path.join(self.top, "site", "provision")
        self.tftp_root = os.path.join(self.top, "site", "tftp")
        self.authority = os.path.join(self.top, "ca")
        shutil.rmtree(os.path.join(self.top, "site"), ignore_errors=True)
        shutil.rmtree(os.path.join(self.top, "servers"), ignore_errors=True)
        for folder in (self.boot_root, self.provision_root, self.tftp_root):
            os.makedirs(folder)
        self.accel = accel.choose(self.images.kernel, self.top, say)
        self.servers = servers.Servers(os.path.join(self.top, "servers"), self.authority,
                                       self.boot_root, self.provision_root)
        self.cni_plugins = {}

    def __enter__(self):
        self.servers.__enter__()
        self._make_boot_root()
        self._make_tftp_root()
        self._make_artifacts()
        return self

    def __exit__(self, *details):
        self.servers.__exit__(*details)

    def _make_boot_root(self):
        folder = os.path.join(self.boot_root, "boot")
        os.makedirs(os.path.join(folder, "host"))
        artifacts.link(self.images.kernel, os.path.join(folder, "vmlinuz"))
        for name in ("boot.ipxe", "local.ipxe"):
            shutil.copy(os.path.join(IPXE, name), folder)
        self.restore_boot()

    def restore_boot(self):
        """The boot server as it is unless a boot asked for something else."""
        shutil.rmtree(os.path.join(self.boot_root, "boot", "roles"), ignore_errors=True)
        self.set_policy({"policy.conf": POLICY.encode()})
        self.use_script("host-default.ipxe")

    def set_policy(self, files, with_authority=True):
        """Serves the initramfs with this policy (name below /promenade/policy -> bytes) appended,
        and with the site's CA."""
        below = {f"promenade/policy/{name}": data for name, data in files.items()}
        if with_authority:
            with open(os.path.join(self.authority, "ca.crt"), "rb") as file:
                below["promenade/policy/ca/rig.pem"] = file.read()
        with open(self.images.initramfs, "rb") as file:
            data = file.read()
        path = os.path.join(self.boot_root, "boot", "initramfs.cpio.zst")
        with open(path + ".tmp", "wb") as file:
            # An uncompressed archive begins at a multiple of four
            # (Documentation/driver-api/early-userspace/buffer-format.rst).
            file.write(data + b"\0" * (-len(data) % 4) + supplement(below))
        os.rename(path + ".tmp", path)

    def _make_tftp_root(self, arguments="", url=None):
        """What DHCP's boot file leads to: the site's variables, then ipxe/boot.ipxe over HTTP."""
        _write(os.path.join(self.tftp_root, "boot.ipxe"), "\n".join([
            "#!ipxe",
            f"set base {self.servers.boot_url}/boot",
            f"set role {url or self.servers.url}/roles/{{uuid}}.yaml",
            f"set args {ARGUMENTS} {arguments}".rstrip(),
            "chain --autofree --replace ${base}/boot.ipxe",
        ]) + "\n")
        shutil.copy(os.path.join(IPXE, "autoexec.ipxe"), self.tftp_root)
        artifacts.link(artifacts.ipxe_efi(), os.path.join(self.tftp_root, "ipxe.efi"))

    def set_arguments(self, arguments, url=None):
        """More words for the kernel command line of boots from now on, and another server for the
        role than the one over HTTPS."""
        self._make_tftp_root(arguments, url)

    def _make_artifacts(self):
        folder = os.path.join(self.provision_root, "artifacts")
        artifacts.cni_archive(os.path.join(folder, "cni-plugins.tgz"))
        artifacts.tool(os.path.join(folder, "etcdctl"))
        self.cni_plugins = artifacts.cni_versions()

    def use_script(self, name):
        """The script of ipxe/ that every machine gets: host-default.ipxe or inject.ipxe."""
        shutil.copy(os.path.join(IPXE, name),
                    os.path.join(self.boot_root, "boot", "host", "default.ipxe"))

    def remove_script(self):
        """Now the boot server knows no machine."""
        os.remove(os.path.join(self.boot_root, "boot", "host", "default.ipxe"))

    def local_disk(self, path):
        """A disk that boots by itself under BIOS and says LOCAL_DISK_WORDS, as a qcow2 at path."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        text = LOCAL_DISK_WORDS.encode() + b"\r\n\0"
        with open(path + ".raw", "wb") as file:
            file.write((LOCAL_DISK_CODE + text).ljust(510, b"\0") + b"\x55\xaa")
            file.truncate(1 << 20)
        machine.make_overlay(path + ".raw", path)

    def inject_role(self, uuid=machine.DEFAULT_UUID):
        """Hands the machine's role to the boot server, which gives it to iPXE as a file, and makes
        a policy that allows that."""
        folder = os.path.join(self.boot_root, "boot", "roles")
        os.makedirs(folder, exist_ok=True)
        shutil.move(os.path.join(self.provision_root, "roles", f"{uuid}.yaml"), folder)
        self.set_policy({"policy.conf": POLICY.replace("unsigned-injected no",
                                                       "unsigned-injected yes").encode()})
        self.use_script("inject.ipxe")

    def sign_role(self, uuid=machine.DEFAULT_UUID, tampered=False):
        """Gives the role an end, puts a detached signature beside it, and makes a policy that has
        the key and asks for a signature. tampered: the role is altered afterwards."""
        role = os.path.join(self.provision_root, "roles", f"{uuid}.yaml")
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
        with open(role, encoding="utf-8") as file:
            text = file.read()
        _write(role, text.replace("serial: 1\n", f"serial: 1\nnotAfter: {end}\n"))
        key = os.path.join(self.authority, "role.key")
        if not os.path.exists(key):
            servers.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        servers.openssl("dgst", "-sha256", "-sign", key, "-out", role + ".sig", role)
        servers.openssl("ec", "-in", key, "-pubout", "-out", key + ".pub")
        if tampered:
            with open(role, "a", encoding="utf-8") as file:
                file.write("# altered\n")
        with open(key + ".pub", "rb") as file:
            public = file.read()
        self.set_policy({"policy.conf": POLICY.replace("require-signature no",
                                                       "require-signature yes").encode(),
                         "keys/rig.pem": public})

    def artifact(self, name):
        """Path of an artifact."""
        return os.path.join(self.provision_root, "artifacts", name)

    def _os_lines(self, modules, pivot):
        """The part of the role's os: that differs from boot to boot."""
        lines = [f"pivot: {pivot}"]
        if pivot == "kexec":
            # The installed kernel's own words; without ro systemd would not check the root.
            # Not quiet: what stops a second kernel early is seen nowhere else.
            words = ARGUMENTS.replace("quiet ", "")
            lines.append(f'cmdline: "root=LABEL=root ro rig.kexec {words}"')
        if modules:
            artifacts.module_archive(self.artifact("modules.tar.zst"))
            lines.append(f'modules: {{url: "{self.servers.plain_url}/artifacts/modules.tar.zst", '
                         f'sha256: "{artifacts.sha256(self.artifact("modules.tar.zst"))}"}}')
        return "\n".join("  " + line for line in lines)

    def serve_role(self, uuid=machine.DEFAULT_UUID, modules=False, pivot="switch-root"):
        """Renders role.yaml.in for a machine, not signed. modules: the kernel's module tree comes
        with it."""
        with open(os.path.join(HERE, "role.yaml.in"), encoding="utf-8") as file:
            text = file.read()
        for word, value in {
                "UUID": uuid, "URL": self.servers.url, "PLAIN": self.servers.plain_url,
                "OS": self._os_lines(modules, pivot),
                "TOOL_SHA256": artifacts.sha256(self.artifact("etcdctl")),
                "CNI_SHA256": artifacts.sha256(self.artifact("cni-plugins.tgz"))}.items():
            text = text.replace(f"@{word}@", value)
        path = os.path.join(self.provision_root, "roles", f"{uuid}.yaml")
        _write(path, text)
        if os.path.exists(path + ".sig"):
            os.remove(path + ".sig")

    def fresh_disk(self, name, *variant):
        """A disk of its own over the guest of that variant; replaces one of the same name."""
        path = os.path.join(self.top, "disks", f"{name}.qcow2")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        machine.make_overlay(os.path.join(guest_disk(*variant), "disk.raw"), path)
        return path

    def boot(self, name, disk, firmware="bios", limit=600, on_line=None, until=None, **fields):
        """Boots a machine by network and watches it to its end. Returns the Outcome."""
        run_dir = os.path.join(self.top, name)
        shutil.rmtree(run_dir, ignore_errors=True)
        spec = machine.Spec(run_dir=run_dir, disk=disk, firmware=firmware, accel=self.accel,
                            tftp=self.tftp_root, **fields)
        with machine.Machine(spec) as vm:
            outcome = vm.run(limit, until=until, on_line=on_line)
        with open(os.path.join(run_dir, "facts"), "w", encoding="utf-8") as file:
            file.write("\n".join(outcome.facts) + "\n")
        return outcome
