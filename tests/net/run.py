#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""agent/net/ in network namespaces against a real dnsmasq, and against servers that misbehave.

Needs root, ip, dnsmasq and the nettool that `make test-programs` builds (or NETTOOL=path). Tests run
several at a time, each in namespaces of its own; words on the command line choose tests by name."""
import concurrent.futures
import os
import re
import shutil
import signal
import sys
import time
import traceback

from lab import TOOL, Failed, Lab, claim, run

TESTS = []
OWN = "10.77.0.1"
OTHER = "10.78.0.1"
YEAR_2039 = 2177452800


def test(function):
    TESTS.append(function)
    return function


def expect(process, **wanted):
    values = process.values()
    for name, value in wanted.items():
        claim(values.get(name) == value, f"{name} is {values.get(name)!r}, not {value!r}")


@test
def lease_with_every_option(lab):
    """121 before 3, 42, 26, 12, 15, 6 and 119 end in the kernel, resolv.conf and the facts."""
    lab.link("eth0", OWN + "/24", mac="52:54:00:12:34:56")
    server = lab.dnsmasq(
        "eth0", "--dhcp-host=52:54:00:12:34:56,10.77.0.77,worker-07",
        f"--dhcp-option=121,0.0.0.0/0,{OWN},10.9.0.0/16,10.77.0.2,10.10.0.0/16,0.0.0.0",
        "--dhcp-option=3,10.77.0.200", f"--dhcp-option=42,{OWN},10.77.0.3", "--dhcp-option=26,1400",
        "--dhcp-option=15,example.org", f"--dhcp-option=6,{OWN},10.77.0.4",
        "--dhcp-option=119,a.example.org,b.example.org")
    client = lab.up("mac=52:54:00:12:34:56")
    expect(client, link="eth0", mac="52:54:00:12:34:56", address="10.77.0.77/24", gateway=OWN,
           hostname="worker-07", domain="example.org", mtu="1400", dns=f"{OWN} 10.77.0.4",
           ntp=f"{OWN} 10.77.0.3", client_id="01525400123456")
    routes = lab.show("-4", "route")
    for wanted in (f"default via {OWN} dev eth0 proto dhcp src 10.77.0.77",
                   "10.9.0.0/16 via 10.77.0.2 dev eth0", "10.10.0.0/16 dev eth0 proto dhcp scope link"):
        claim(wanted in routes, f"no '{wanted}' in:\n{routes}")
    claim("10.77.0.200" not in routes, f"option 3 was not ignored:\n{routes}")
    claim("mtu 1400" in lab.show("link", "show", "eth0"), "the MTU was not set")
    claim("127.0.0.1/8" in lab.show("address", "show", "lo"), "lo is not up")
    claim(lab.resolver() == f"nameserver {OWN}\nnameserver 10.77.0.4\n"
          "search a.example.org b.example.org\noptions timeout:2 attempts:3\n",
          f"resolv.conf is {lab.resolver()!r}")
    claim("01:52:54:00:12:34:56" in open(f"{lab.folder}/leases-eth0", encoding="utf-8").read(),
          "the server does not know the client identifier of iPXE: " + server.log())
    claim("vendor class: promenade" in server.log() + server.text(), "no vendor class was sent")


@test
def router_option_alone(lab):
    lab.link("eth0", OWN + "/24")
    lab.dnsmasq("eth0", "--dhcp-option=6")
    expect(lab.up(), gateway=OWN, dns="", mtu="0", hostname="")
    claim(f"default via {OWN} dev eth0" in lab.show("route"), "no default route")
    claim(lab.resolver() is None, "resolv.conf without a server")


@test
def slow_carrier(lab):
    """The peer comes up after 12 s; the console says what is awaited."""
    lab.link("eth0", OWN + "/24", carrier=False)
    lab.dnsmasq("eth0")
    client = lab.tool("up", "mac=" + lab.mac("eth0"))
    time.sleep(12)
    lab.carrier("eth0", True)
    client.await_text("\nup\n")
    wanted = f"waiting for carrier on eth0 (BOOTIF {lab.mac('eth0')}), 10 s; no hard end"
    claim(wanted in client.log(), f"no '{wanted}' in:\n{client.log()}")
    claim(int(client.values()["idle_calls"]) >= 12, "idle() was not called every second")


@test
def late_server(lab):
    """Carrier at once, the server 12 s later: the DISCOVERs go on."""
    lab.link("eth0", OWN + "/24")
    client = lab.tool("up", "mac=" + lab.mac("eth0"))
    time.sleep(12)
    lab.dnsmasq("eth0")
    client.await_text("\nup\n", 25)
    wanted = rf"waiting for a DHCP offer on eth0 \(BOOTIF {lab.mac('eth0')}\), [34] DISCOVERs sent, 10 s"
    claim(re.search(wanted, client.log()), f"no '{wanted}' in:\n{client.log()}")


@test
def timeout_says_what_was_awaited(lab):
    lab.link("eth0", carrier=False)
    client = lab.tool("up", "timeout=2000")
    claim(client.await_end(10) == 1, "it did not fail")
    error = client.values()["error"]
    claim(error.startswith("E_TIMEOUT no network: waiting for carrier on eth0") and "gives up" in error,
          f"error is {error!r}")


@test
def no_link_at_all(lab):
    client = lab.tool("up", "timeout=1500")
    claim(client.await_end(10) == 1, "it did not fail")
    claim("a wired link to appear" in client.values()["error"], client.text())


@test
def only_the_second_answers(lab):
    """BOOTIF has carrier but is silent: after the patience the other link will do."""
    lab.link("eth0")
    lab.link("eth1", OTHER + "/24")
    lab.dnsmasq("eth1", first="10.78.0")
    started = time.monotonic()
    client = lab.up("mac=" + lab.mac("eth0"), "grace=2000", "patience=12000")
    expect(client, link="eth1", gateway=OTHER)
    took = time.monotonic() - started
    claim(took > 11, f"taken after {took:.1f} s, before the patience was over")
    wanted = "has a lease, which is taken if the boot link stays silent, 10 s; no hard end"
    claim(wanted in client.log(), f"no '{wanted}' in:\n{client.log()}")


@test
def boot_link_without_carrier(lab):
    """BOOTIF has no carrier: after the grace the other link is taken at once."""
    lab.link("eth0", carrier=False)
    lab.link("eth1", OTHER + "/24")
    lab.dnsmasq("eth1", first="10.78.0")
    started = time.monotonic()
    expect(lab.up("mac=" + lab.mac("eth0"), "grace=3000"), link="eth1")
    took = time.monotonic() - started
    claim(2.9 < took < 15, f"taken after {took:.1f} s")


@test
def boot_link_preferred(lab):
    """Both answer, the boot link later than the other: the boot link is taken."""
    lab.link("eth0", OWN + "/24")
    lab.link("eth1", OTHER + "/24")
    lab.dnsmasq("eth0")
    client = lab.tool("up", "mac=" + lab.mac("eth1"), "grace=1000")
    time.sleep(4)
    lab.dnsmasq("eth1", first="10.78.0")
    client.await_text("\nup\n")
    expect(client, link="eth1", gateway=OTHER)
    claim("10.77.0" not in lab.show("address"), "the other lease was configured too")


@test
def no_boot_link_named(lab):
    """Without BOOTIF all links are asked at once; what is no wired link is not."""
    lab.link("eth0")
    lab.link("eth1", OTHER + "/24")
    for words in (("br0", "type", "bridge"), ("dummy0", "type", "dummy")):
        run("ip", "-n", lab.inside, "link", "add", *words, check=False)
    lab.dnsmasq("eth1", first="10.78.0")
    started = time.monotonic()
    expect(lab.up(), link="eth1")
    claim(time.monotonic() - started < 5, "it waited though nothing was to be preferred")
    claim("UP" not in lab.show("-br", "link", "show", "br0").split("<")[1], "the bridge was set up")


@test
def link_that_appears_later(lab):
    """The driver is loaded while the agent waits."""
    client = lab.tool("up", "mac=52:54:00:00:00:09")
    time.sleep(3)
    claim("\nup\n" not in client.text(), "up without a link")
    lab.link("eth0", OWN + "/24", mac="52:54:00:00:00:09")
    lab.dnsmasq("eth0")
    client.await_text("\nup\n", 15)
    expect(client, link="eth0", mac="52:54:00:00:00:09")


@test
def flap_while_asking(lab):
    """Carrier that goes and comes back starts the client anew."""
    lab.link("eth0", OWN + "/24")
    client = lab.tool("up")
    client.await_text("carrier on", 10)
    lab.carrier("eth0", False)
    client.await_text("carrier off", 10, count=1)
    time.sleep(1)
    lab.dnsmasq("eth0")
    lab.carrier("eth0", True)
    claim(client.await_text("\nup\n") < 3, "the DISCOVER did not go out at once after the carrier")


@test
def flap_that_nobody_saw(lab):
    """Carrier that went and came between two looks shows in the kernel's counter."""
    lab.link("eth0", OWN + "/24")
    client = lab.tool("up")
    time.sleep(9)  # the third DISCOVER is out, the fourth is 5 s away at least
    lab.dnsmasq("eth0")
    client.child.send_signal(signal.SIGSTOP)
    lab.carrier("eth0", False)
    time.sleep(0.2)
    lab.carrier("eth0", True)
    time.sleep(0.2)
    client.child.send_signal(signal.SIGCONT)
    claim(client.await_text("\nup\n") < 3, "the DISCOVER did not go out at once")


@test
def renewal_of_a_short_lease(lab):
    """T1 of 6 s: renewed in time, and the options that changed come into effect."""
    lab.link("eth0", OWN + "/24")
    options = ["--dhcp-option=option:T1,6", "--dhcp-option=option:T2,30"]
    server = lab.dnsmasq("eth0", *options, f"--dhcp-option=6,{OWN}")
    client = lab.up("keep=18")
    before = client.values()["address"]
    server.stop()
    server = lab.dnsmasq("eth0", *options, "--dhcp-option=6,10.77.0.9", "--dhcp-option=121,10.9.0.0/16,10.77.0.2")
    claim(client.await_end(30) == 0, client.text())
    claim("lost" not in client.text(), client.text())
    said = server.log() + server.text()
    claim(said.count("DHCPREQUEST") >= 2, f"not renewed:\n{said}")
    claim("DHCPDISCOVER" not in said, "it began anew instead of renewing")
    claim(before in lab.show("address"), "the address went")
    claim("nameserver 10.77.0.9" in lab.resolver(), "the new server did not come into effect")
    claim("10.9.0.0/16 via 10.77.0.2" in lab.show("route"), "the new route did not come")


@test
def flap_while_bound(lab):
    """After carrier came back the lease is confirmed at once, not at T1."""
    lab.link("eth0", OWN + "/24")
    server = lab.dnsmasq("eth0")
    client = lab.up("keep=6")
    asked = server.log().count("DHCPREQUEST")
    lab.carrier("eth0", False)
    time.sleep(0.5)
    lab.carrier("eth0", True)
    claim(client.await_end(20) == 0, client.text())
    claim(server.log().count("DHCPREQUEST") == asked + 1, server.log())
    claim("lost" not in client.text(), client.text())


@test
def lease_that_ends(lab):
    """Nobody renews a lease of 20 s: the address goes at its end, and a new server is asked."""
    lab.link("eth0", "10.88.0.1/24")
    server = lab.helper("dhcp_server.py", "seth0", "good", "20")
    client = lab.up("keep=32")
    server.child.kill()
    client.await_text("lost=", 30)
    claim("the lease ended, no DHCP server renewed it" in client.text(), client.text())
    claim("10.88.0.50" not in lab.show("address"), "the address is still there")
    server = lab.helper("dhcp_server.py", "seth0", "good", "3600")
    client.await_text("\nup\n", 30, count=2)
    claim("10.88.0.50/24" in lab.show("address"), "no address after the second lease")


@test
def broadcast_renewal_has_our_address(lab):
    lab.link("eth0", "10.88.0.1/24")
    server = lab.helper("dhcp_server.py", "seth0", "good", "20")
    client = lab.up("keep=13")
    claim(client.await_end(30) == 0, client.text())
    claim("REQUEST ciaddr=10.88.0.50 requested=0.0.0.0 server=0.0.0.0" in server.text(), server.text())
    claim("REQUEST ciaddr=0.0.0.0 requested=10.88.0.50 server=10.88.0.1" in server.text(), server.text())


@test
def foreign_nak_and_ack(lab):
    """What a server says that was not asked is not believed."""
    lab.link("eth0", "10.88.0.1/24")
    server = lab.helper("dhcp_server.py", "seth0", "foreign")
    expect(lab.up(seconds=8), address="10.88.0.50/24")
    claim(server.text().count("REQUEST") == 1, "the foreign NAK was believed:\n" + server.text())


@test
def refused_twice(lab):
    lab.link("eth0", "10.88.0.1/24")
    server = lab.helper("dhcp_server.py", "seth0", "refuse")
    expect(lab.up(seconds=20), address="10.88.0.50/24")
    claim(server.text().count("DISCOVER") >= 3, server.text())
    claim(server.text().count("REQUEST") == 3, server.text())


@test
def noise_before_each_answer(lab):
    lab.link("eth0", "10.88.0.1/24")
    lab.helper("dhcp_server.py", "seth0", "noise")
    expect(lab.up(seconds=8), address="10.88.0.50/24")


@test
def router_outside_of_a_host_prefix(lab):
    lab.link("eth0", "10.88.0.1/24")
    lab.helper("dhcp_server.py", "seth0", "host32")
    expect(lab.up(), address="10.88.0.50/32", gateway="10.99.0.1")
    claim("default via 10.99.0.1 dev eth0 proto dhcp src 10.88.0.50 onlink" in lab.show("route"),
          lab.show("route"))


@test
def static_address_on_a_device(lab):
    lab.link("eth0", OWN + "/24")
    lab.link("eth1", OTHER + "/24")
    client = lab.up(f"ip=10.78.0.7::{OTHER}:255.255.255.0:node7:eth1:none:{OTHER}:10.78.0.2:10.78.0.3")
    expect(client, link="eth1", address="10.78.0.7/24", gateway=OTHER, hostname="node7",
           dns=f"{OTHER} 10.78.0.2", ntp="10.78.0.3", client_id="")
    claim(lab.reaches(OTHER), "the server cannot be reached")
    claim(f"default via {OTHER} dev eth1 proto static" in lab.show("route"), lab.show("route"))
    claim(f"nameserver {OTHER}" in lab.resolver(), "no resolver")


@test
def static_address_on_the_boot_link(lab):
    lab.link("eth0", OWN + "/24")
    lab.link("eth1", OTHER + "/24", carrier=False)
    client = lab.tool("up", f"ip=10.78.0.7::{OTHER}:24", "mac=" + lab.mac("eth1"))
    time.sleep(2)
    claim("\nup\n" not in client.text(), "a static address without carrier")
    lab.carrier("eth1", True)
    client.await_text("\nup\n", 10)
    expect(client, link="eth1", address="10.78.0.7/24")


@test
def static_address_waits_for_its_link(lab):
    """It belongs on the boot link: another one with carrier is not given it, however long it takes."""
    lab.link("eth0", OWN + "/24")
    lab.link("eth1", OTHER + "/24", carrier=False)
    client = lab.tool("up", f"ip=10.78.0.7::{OTHER}:24", "mac=" + lab.mac("eth1"), "grace=500",
                      "timeout=4000")
    claim(client.await_end(10) == 1, client.text())
    claim("carrier on eth1" in client.values()["error"], client.text())
    claim("10.78.0.7" not in lab.show("address"), lab.show("address"))


@test
def carrier_that_stays_away(lab):
    """While the agent waits for its role the cable is pulled: another link takes over."""
    lab.link("eth0", OWN + "/24")
    lab.link("eth1", OTHER + "/24")
    lab.dnsmasq("eth0")
    lab.dnsmasq("eth1", first="10.78.0")
    client = lab.tool("up", "mac=" + lab.mac("eth0"), "keep=20", "grace=2000", "patience=6000")
    client.await_text("\nup\n")
    expect(client, link="eth0")
    lab.carrier("eth0", False)
    client.await_text("\nup\n", 20, count=2)
    expect(client, link="eth1")
    claim("lost=the network on eth0 is lost: its carrier does not come back" in client.text(), client.text())
    claim("10.77.0" not in lab.show("address"), "the old address is still there")


@test
def static_ipv6(lab):
    lab.link("eth0", "2001:db8::1/64")
    expect(lab.up("ip=[2001:db8::7]::[2001:db8::1]:64::eth0:none"), address="2001:db8::7/64",
           gateway="2001:db8::1")
    claim(lab.reaches("2001:db8::1"), "the server cannot be reached")


@test
def dhcp_with_servers_of_the_command_line(lab):
    """What ip=...:dhcp names goes before the lease."""
    lab.link("eth0", OWN + "/24")
    lab.dnsmasq("eth0", f"--dhcp-option=6,{OWN}")
    expect(lab.up("ip=::::node9:eth0:dhcp:192.0.2.53"), hostname="node9", dns="192.0.2.53",
           gateway=OWN)


@test
def network_off(lab):
    lab.link("eth0", OWN + "/24")
    expect(lab.up("ip=off"), known="0")
    claim("UP" not in lab.show("-br", "link", "show", "eth0").split("<")[1], "the link was set up")


@test
def router_advertisement(lab):
    """No DHCPv4 server: the kernel's address, its router and the RDNSS option do."""
    lab.link("eth0", "fd00:77::1/64")
    lab.start(lab.outside, [
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--port=0",
        "--interface=seth0", "--bind-interfaces", "--pid-file=", "--enable-ra", "--ra-param=seth0,4",
        "--dhcp-range=::,constructor:seth0,ra-only,64,10m",
        "--dhcp-option=option6:dns-server,[fd00:77::53]"], "dnsmasq")
    started = time.monotonic()
    client = lab.up("ra=9000")
    claim(time.monotonic() - started > 8.5, "it did not wait for DHCPv4")
    values = client.values()
    claim(values["address"].startswith("fd00:77::") and values["address"].endswith("/64"), values["address"])
    claim(values["gateway"].startswith("fe80::"), values["gateway"])
    claim(values["dns"] == "fd00:77::53", f"dns is {values['dns']!r}")
    claim("nameserver fd00:77::53" in lab.resolver(), "no resolver")


@test
def router_advertisement_asked_for(lab):
    """ip=auto6 sends no DISCOVER and waits for no grace."""
    lab.link("eth0", "fd00:77::1/64")
    lab.start(lab.outside, [
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--port=0",
        "--interface=seth0", "--bind-interfaces", "--pid-file=", "--enable-ra", "--ra-param=seth0,4",
        "--dhcp-range=::,constructor:seth0,ra-only,64,10m"], "dnsmasq")
    client = lab.up("ip=auto6")
    claim(client.values()["address"].startswith("fd00:77::"), "no address")
    claim("tentative" not in lab.show("-6", "address", "show", "scope", "global"),
          "taken before duplicate address detection was over")


@test
def worker_that_starts_again(lab):
    """A second net_up() of another process finds the links as the first left them."""
    lab.link("eth0", OWN + "/24")
    lab.dnsmasq("eth0")
    first = lab.up().values()["address"]
    run("ip", "-n", lab.inside, "address", "add", "10.66.0.1/24", "dev", "eth0")
    second = lab.up().values()["address"]
    claim(first == second, f"{first} became {second}")
    claim(lab.show("-4", "address", "show", "eth0").count("inet ") == 1, "a stale address stayed")


@test
def down_leaves_nothing(lab):
    lab.link("eth0", OWN + "/24")
    lab.link("eth1", OTHER + "/24")
    lab.dnsmasq("eth0", "--dhcp-option=121,0.0.0.0/0,10.77.0.1,10.9.0.0/16,10.77.0.2")
    lab.up("mac=" + lab.mac("eth0"))
    run("ip", "-n", lab.inside, "address", "add", "2001:db8::9/64", "dev", "eth1")
    claim(lab.tool("down").await_end(10) == 0, "it failed")
    left = lab.show("-br", "address").splitlines()
    for line in left:
        if line.startswith("eth"):
            words = line.split()
            claim(words[1] == "DOWN" and len(words) == 2, f"left: {line}")
    for family in ("-4", "-6"):
        routes = lab.show(family, "route", "show", "table", "all")
        claim("eth" not in routes, f"routes are left:\n{routes}")


def sync(lab, *words):
    client = lab.tool("sync", *words)
    client.await_end(30)
    return client


def time_lab(lab, *modes):
    """Servers 10.77.0.1, .2, ... with those modes; returns their addresses."""
    lab.link("eth0", OWN + "/24")
    servers = []
    for number, mode in enumerate(modes, 1):
        address = f"10.77.0.{number}"
        if number > 1:
            run("ip", "-n", lab.outside, "address", "add", address + "/24", "dev", "seth0")
        lab.helper("sntp_server.py", address, *mode.split())
        servers.append(address)
    lab.up(f"ip=10.77.0.9:::24::eth0:none")
    return servers


def floor():
    return str(int(time.time()) - 86400)


@test
def time_of_a_good_server(lab):
    servers = time_lab(lab, f"good {int(time.time()) + 1000}")
    client = sync(lab, floor(), *servers)
    expect(client, server="10.77.0.1", stratum="2", stepped="1")
    skew = int(client.values()["skew_ms"])
    claim(980000 < skew < 1001000, f"skew is {skew} ms")
    stepped = float(client.values()["clock_settime"].split(",")[1])
    claim(abs(stepped - time.time() - skew / 1000) < 2, f"set to {stepped}")


@test
def time_that_is_right_already(lab):
    servers = time_lab(lab, "good")
    # A busy host delays question or answer by more than the 50 ms now and then.
    clients = [sync(lab, floor(), *servers) for _ in range(5)]
    claim(any("stepped=0" in c.text() and "clock_settime" not in c.text() for c in clients),
          "the clock was set: " + clients[0].text())


@test
def lying_refusing_and_good_server(lab):
    """A date before the floor, a kiss-o'-death: the third server is believed."""
    servers = time_lab(lab, "good 86400", "kiss", f"good {int(time.time()) + 50}")
    expect(sync(lab, floor(), *servers), server="10.77.0.3", stepped="1")


@test
def servers_that_are_no_use(lab):
    servers = time_lab(lab, f"good {int(time.time()) + 16 * 31557600}", "kiss", "unsync")
    client = sync(lab, floor(), *servers)
    error = client.values().get("error", "")
    for part in ("10.77.0.1: it says 20", "not credible", "10.77.0.2: it refuses (kiss-o'-death RATE)",
                 "10.77.0.3: it is not synchronised", "option 42"):
        claim(part in error, f"no '{part}' in {error!r}")
    claim("clock_settime" not in client.text(), "the clock was set")


@test
def a_refusing_server_is_asked_once(lab):
    lab.link("eth0", OWN + "/24")
    server = lab.helper("sntp_server.py", OWN, "kiss")
    lab.up("ip=10.77.0.9:::24::eth0:none")
    sync(lab, floor(), OWN)
    claim(server.text().count("asked") == 1, server.text())


@test
def spoofed_short_and_unsure(lab):
    """A wrong origin timestamp is passed over; short and unsure answers are no time."""
    servers = time_lab(lab, "unsure", "short", f"spoof {int(time.time()) + 60}")
    started = time.monotonic()
    client = sync(lab, floor(), *servers)
    expect(client, server="10.77.0.3")
    claim(30000 < int(client.values()["skew_ms"]) < 61000, "the spoofed answer was believed")
    claim(time.monotonic() - started < 8, "bounded waits took too long")


@test
def silent_and_closed_servers(lab):
    servers = time_lab(lab, "silent")
    started = time.monotonic()
    client = sync(lab, floor(), *servers, "10.77.0.1:", "not-a-name.invalid")
    error = client.values().get("error", "")
    claim("10.77.0.1: no answer" in error and "is not resolved" in error, error)
    claim(time.monotonic() - started < 20, "longer than its bound")


@test
def era_after_2036(lab):
    """NTP seconds have wrapped; with a floor of 2039 the date is 2039 again."""
    servers = time_lab(lab, f"good {YEAR_2039 + 5000}")
    client = sync(lab, str(YEAR_2039), *servers)
    expect(client, stepped="1")
    second = float(client.values()["clock_settime"].split(",")[1])
    claim(abs(second - YEAR_2039 - 5000) < 2, f"set to {second}")


@test
def clock_floor(lab):
    now = int(time.time())
    for seconds, change, is_set in ((now + 3600, "1", True), (now - 3600, "0", False),
                                    (now - 16 * 31557600, "2", True), (now - 14 * 31557600, "0", False)):
        client = lab.tool("floor", str(seconds))
        claim(client.await_end(10) == 0, client.text())
        expect(client, change=change)
        claim((f"clock_settime=0,{seconds}.000" in client.text()) == is_set, client.text())


def run_one(function):
    """None, or why it failed."""
    try:
        with Lab() as lab:
            function(lab)
    except Failed as failure:
        return str(failure)
    except Exception:  # pylint: disable=broad-except
        return traceback.format_exc()
    return None


def lacking():
    """Why nothing can run here, or None."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    for program in ("ip", "dnsmasq"):
        if not shutil.which(program):
            return f"needs {program}"
    if not os.access(TOOL, os.X_OK):
        sys.exit(f"tests/net/run.py: no {TOOL}; run `make test-programs` first")
    return None


def main():
    chosen = [t for t in TESTS if len(sys.argv) == 1 or t.__name__ in sys.argv[1:]]
    why = lacking()
    if why:
        print(f"skipped: {why}\n0 passed, 0 failed, {len(chosen)} skipped")
        return 0
    failed = 0
    # They wait more than they work; the slow ones start first as written above.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for function, failure in zip(chosen, pool.map(run_one, chosen)):
            print(f"{'ok  ' if failure is None else 'FAIL'} {function.__name__}", flush=True)
            if failure is not None:
                failed += 1
                print("\n".join("    | " + line for line in failure.splitlines()), flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
