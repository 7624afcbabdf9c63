# SPDX-License-Identifier: MIT
"""The servers a machine meets: nginx with a CA made on the spot, and a receiver of events.

Two nginx, because they are two servers in life as well. The boot server has kernel, initramfs and
iPXE scripts over plain HTTP, all that iPXE of any age can fetch. The provisioning server has roles
and events over HTTPS; artifacts over both. The second one can be switched off.
All listen on loopback, which is 10.0.2.2 for a guest on QEMU's user network.
"""
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time

from machine import HOST_ADDRESS

NGINX = """
daemon off;
worker_processes 1;
pid {run}/nginx-{name}.pid;
error_log {run}/nginx-{name}.error.log info;
{user}
events {{ worker_connections 256; }}
http {{
	client_body_temp_path {run}/tmp-body;
	proxy_temp_path {run}/tmp-proxy;
	fastcgi_temp_path {run}/tmp-fastcgi;
	uwsgi_temp_path {run}/tmp-uwsgi;
	scgi_temp_path {run}/tmp-scgi;
	log_format line escape=json '{{"time":$msec,"method":"$request_method","uri":"$request_uri",'
		'"status":$status,"bytes":$body_bytes_sent,"range":"$http_range",'
		'"agent":"$http_user_agent","tls":"$ssl_protocol","serial":"$http_x_system_serial_number"}}';
	access_log {run}/access.log line;
	default_type application/octet-stream;
	sendfile on;
	server_tokens off;
	{servers}
}}
"""

PLAIN = """
	server {{
		listen 127.0.0.1:{port};
		root {root};
	}}
"""

PROVISIONING = """
	server {{
		listen 127.0.0.1:{port} ssl;
		ssl_certificate {run}/server.crt;
		ssl_certificate_key {run}/server.key;
		ssl_protocols TLSv1.2 TLSv1.3;
		root {root};
		location /events {{
			proxy_pass http://127.0.0.1:{events};
			proxy_read_timeout 10s;
		}}
	}}
"""

def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_ports(folder, names):
    """name -> TCP port of loopback that nobody listens on now. The same ones as last time where
    they are free: they are in the roles, and a role that has changed is work for the agent."""
    path = os.path.join(folder, "ports.json")
    try:
        with open(path, encoding="utf-8") as file:
            ports = json.load(file)
        if set(ports) == set(names) and all(_is_free(port) for port in ports.values()):
            return ports
    except (OSError, ValueError):
        pass
    probes = [socket.socket() for _ in names]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = {name: probe.getsockname()[1] for name, probe in zip(names, probes)}
    for probe in probes:
        probe.close()
    os.makedirs(folder, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(ports, file)
    return ports


# openssl ca is the one command of OpenSSL 3.0 that can backdate: the clock of a machine with a dead
# battery starts at the agent's build time, and that is before now.
CA_CONFIG = """
[ca]
default_ca = rig
[rig]
new_certs_dir = {folder}
database = {folder}/index.txt
serial = {folder}/serial
policy = any
default_md = sha256
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""
NOT_BEFORE = "20240101000000Z"
SERVER_NAMES = (f"IP:{HOST_ADDRESS}", "IP:127.0.0.1", "DNS:provision.test")


def openssl(*arguments):
    """Runs openssl; its words end the run when it fails."""
    done = subprocess.run(["openssl", *arguments], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"openssl {arguments[0]} fails:\n{done.stderr}")


def _new_key(path, subject, request):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256",
             "-subj", f"/CN={subject}", "-keyout", path, "-out", request)
    os.chmod(path, 0o600)


def _sign(folder, names, request, out, *arguments):
    config = os.path.join(folder, "ca.conf")
    with open(config, "w", encoding="ascii") as file:
        file.write(CA_CONFIG.format(folder=folder, names=",".join(names)))
    with open(os.path.join(folder, "index.txt"), "a", encoding="ascii"):
        pass
    openssl("ca", "-batch", "-notext", "-config", config, "-startdate", NOT_BEFORE, "-in", request,
             "-out", out, "-keyfile", os.path.join(folder, "ca.key"), *arguments)
    os.remove(request)


def make_authority(folder):
    """A CA (ca.crt, ca.key: ECDSA P-256) in folder; kept when it is there and good for a week."""
    certificate, request = os.path.join(folder, "ca.crt"), os.path.join(folder, "ca.csr")
    if os.path.exists(certificate) and subprocess.run(
            ["openssl", "x509", "-checkend", "604800", "-noout", "-in", certificate],
            stdout=subprocess.DEVNULL, check=False).returncode == 0:
        return certificate
    os.makedirs(folder, exist_ok=True)
    _new_key(os.path.join(folder, "ca.key"), "Promenade rig CA", request)
    _sign(folder, SERVER_NAMES, request, certificate, "-selfsign", "-extensions", "authority",
          "-enddate", time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 30 * 86400)))
    return certificate


def make_certificate(folder, out_dir, names=SERVER_NAMES):
    """A server certificate of the CA in folder: out_dir/server.crt and server.key."""
    request = os.path.join(out_dir, "server.csr")
    _new_key(os.path.join(out_dir, "server.key"), "provision.test", request)
    _sign(folder, names, request, os.path.join(out_dir, "server.crt"),
          "-cert", os.path.join(folder, "ca.crt"), "-extensions", "server",
          "-enddate", time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 7 * 86400)))


class _Events(http.server.BaseHTTPRequestHandler):
    """Takes cloud-init webhook events: one JSON object a POST."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):  # noqa: N802 (the name is http.server's)
        """Records the body; a body that is no JSON is answered with 400 and recorded as such."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            event = json.loads(body)
            status = 200
        except ValueError:
            event, status = {"malformed": body.decode(errors="replace")}, 400
        self.server.record(event)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """nginx logs already."""


class _EventServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, path):
        super().__init__(("127.0.0.1", 0), _Events)
        self._path = path
        self._lock = threading.Lock()
        self.events = []

    def record(self, event):
        """Appends to the list and to the file."""
        with self._lock, open(self._path, "a", encoding="utf-8") as file:
            self.events.append(event)
            file.write(json.dumps(event) + "\n")


class Servers:
    """Boot server, provisioning server and event receiver over one folder each.

    boot_root holds boot/, provision_root holds roles/ and artifacts/. Use as a context manager.
    """

    def __init__(self, run_dir, authority_dir, boot_root, provision_root):
        self.run_dir = os.path.abspath(run_dir)
        os.makedirs(self.run_dir, exist_ok=True)
        self._roots = {"boot": os.path.abspath(boot_root),
                       "provision": os.path.abspath(provision_root)}
        make_authority(authority_dir)
        make_certificate(authority_dir, self.run_dir)
        self.ports = choose_ports(authority_dir, ("boot", "provision", "plain"))
        self._processes = {}
        self._receiver = _EventServer(os.path.join(self.run_dir, "events.jsonl"))
        threading.Thread(target=self._receiver.serve_forever, daemon=True).start()

    @property
    def boot_url(self):
        """URL of the boot server's root as the guest sees it, without a slash at the end."""
        return f"http://{HOST_ADDRESS}:{self.ports['boot']}"

    @property
    def url(self):
        """URL of the provisioning server as the guest sees it."""
        return f"https://{HOST_ADDRESS}:{self.ports['provision']}"

    @property
    def plain_url(self):
        """The same folder over plain HTTP: what a mirror is."""
        return f"http://{HOST_ADDRESS}:{self.ports['plain']}"

    @property
    def events(self):
        """All events received so far, in order."""
        return list(self._receiver.events)

    def requests(self):
        """All requests answered so far, as dictionaries in order."""
        try:
            with open(os.path.join(self.run_dir, "access.log"), encoding="utf-8") as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def _config(self, name):
        if name == "boot":
            servers = PLAIN.format(port=self.ports["boot"], root=self._roots["boot"])
        else:
            servers = PROVISIONING.format(
                port=self.ports["provision"], run=self.run_dir, root=self._roots["provision"],
                events=self._receiver.server_address[1])
            servers += PLAIN.format(port=self.ports["plain"], root=self._roots["provision"])
        # Started by root, workers would become "nobody" and could not read a checkout below /root.
        user = "user root;" if os.geteuid() == 0 else ""
        path = os.path.join(self.run_dir, f"nginx-{name}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(NGINX.format(run=self.run_dir, name=name, servers=servers, user=user))
        return path

    def start(self, name):
        """Starts "boot" or "provision" and waits until it listens."""
        log = os.path.join(self.run_dir, f"nginx-{name}.start.log")
        with open(log, "wb") as errors:
            process = subprocess.Popen(
                ["nginx", "-p", self.run_dir, "-c", self._config(name),
                 "-e", os.path.join(self.run_dir, f"nginx-{name}.error.log")],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        self._processes[name] = process
        for _ in range(100):
            if process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.ports[name])) == 0:
                    return
            time.sleep(0.05)
        with open(log, encoding="utf-8", errors="replace") as file:
            raise SystemExit(f"nginx ({name}) does not start:\n{file.read()}")

    def stop(self, name):
        """Stops one of them; nothing answers on its ports then."""
        process = self._processes.pop(name, None)
        if process and process.poll() is None:
            process.terminate()
            process.wait(10)

    def __enter__(self):
        self.start("boot")
        self.start("provision")
        return self

    def __exit__(self, *_):
        for name in list(self._processes):
            self.stop(name)
        self._receiver.shutdown()
        self._receiver.server_close()
        for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
            shutil.rmtree(os.path.join(self.run_dir, f"tmp-{name}"), ignore_errors=True)
