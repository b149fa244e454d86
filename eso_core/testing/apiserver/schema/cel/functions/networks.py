"""IP addresses and CIDR ranges."""

from __future__ import annotations

import ipaddress
from typing import Final

from eso_core.testing.apiserver.schema.cel.errors import EvaluationError
from eso_core.testing.apiserver.schema.cel.overloads import Library
from eso_core.testing.apiserver.schema.cel.types import Type
from eso_core.testing.apiserver.schema.cel.values import register_type
from eso_core.testing.apiserver.schema.gotext import quote

LIBRARY: Final = Library()
declare = LIBRARY.declare

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

for _class in (ipaddress.IPv4Address, ipaddress.IPv6Address):
    register_type(_class, Type("net.IP"))
for _range in (ipaddress.IPv4Interface, ipaddress.IPv6Interface):
    register_type(_range, Type("net.CIDR"))


def _parse_ip(text: str) -> Address:
    if "%" in text:
        raise EvaluationError(f"IP address with zone value is not allowed {quote(text)}")
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise EvaluationError(
            f"IP Address {quote(text)} parse error during conversion from string: "
            f"ParseAddr({quote(text)}): unable to parse IP"
        ) from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(f"IPv4-mapped IPv6 address {quote(text)} is not allowed")
    return address


def _parse_cidr(text: str) -> Interface:
    address, slash, bits = text.partition("/")
    plain = bits.isascii() and bits.isdigit() and (bits == "0" or not bits.startswith("0"))
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        parsed = None
    if parsed is None or "%" in text or not slash or not plain or int(bits) > parsed.max_prefixlen:
        raise EvaluationError(
            f"network address parse error during conversion from string: "
            f"netip.ParsePrefix({quote(text)}): unable to parse"
        )
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        raise EvaluationError(f"IPv4-mapped IPv6 address {quote(text)} is not allowed")
    return ipaddress.ip_interface(text)


@declare("ip(string) -> net.IP")
def _ip(text: str) -> Address:
    return _parse_ip(text)


@declare("isIP(string) -> bool")
def _is_ip(text: str) -> bool:
    try:
        _parse_ip(text)
    except EvaluationError:
        return False
    return True


@declare("ip.isCanonical(string) -> bool")
def _is_canonical(text: str) -> bool:
    return str(_parse_ip(text)) == text


@declare("string(net.IP) -> string")
def _ip_text(address: Address) -> str:
    return str(address)


@declare("net.IP :: family() -> int")
def _family(address: Address) -> int:
    return address.version


@declare("net.IP :: isUnspecified() -> bool")
def _is_unspecified(address: Address) -> bool:
    return address.is_unspecified


@declare("net.IP :: isLoopback() -> bool")
def _is_loopback(address: Address) -> bool:
    return address.is_loopback


@declare("net.IP :: isLinkLocalMulticast() -> bool")
def _is_link_local_multicast(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return address in ipaddress.ip_network("224.0.0.0/24")
    return address.is_multicast and address.packed[1] & 0x0F == 0x02


@declare("net.IP :: isLinkLocalUnicast() -> bool")
def _is_link_local_unicast(address: Address) -> bool:
    return address.is_link_local


@declare("net.IP :: isGlobalUnicast() -> bool")
def _is_global_unicast(address: Address) -> bool:
    broadcast = isinstance(address, ipaddress.IPv4Address) and int(address) == 0xFFFFFFFF
    return not (
        broadcast or address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    )


@declare("cidr(string) -> net.CIDR")
def _cidr(text: str) -> Interface:
    return _parse_cidr(text)


@declare("isCIDR(string) -> bool")
def _is_cidr(text: str) -> bool:
    try:
        _parse_cidr(text)
    except EvaluationError:
        return False
    return True


@declare("string(net.CIDR) -> string")
def _cidr_text(cidr: Interface) -> str:
    return str(cidr)


def _contains(cidr: Interface, address: Address) -> bool:
    return address.version == cidr.version and address in cidr.network


@declare("net.CIDR :: containsIP(net.IP) -> bool")
def _contains_ip(cidr: Interface, address: Address) -> bool:
    return _contains(cidr, address)


@declare("net.CIDR :: containsIP(string) -> bool")
def _contains_ip_text(cidr: Interface, text: str) -> bool:
    return _contains(cidr, _parse_ip(text))


@declare("net.CIDR :: containsCIDR(net.CIDR) -> bool")
def _contains_cidr(cidr: Interface, other: Interface) -> bool:
    return _contains(cidr, other.network.network_address) and cidr.network.prefixlen <= other.network.prefixlen


@declare("net.CIDR :: containsCIDR(string) -> bool")
def _contains_cidr_text(cidr: Interface, text: str) -> bool:
    return _contains_cidr(cidr, _parse_cidr(text))


@declare("net.CIDR :: ip() -> net.IP")
def _ip_of_cidr(cidr: Interface) -> Address:
    return cidr.ip


@declare("net.CIDR :: masked() -> net.CIDR")
def _masked(cidr: Interface) -> Interface:
    return ipaddress.ip_interface(f"{cidr.network.network_address}/{cidr.network.prefixlen}")


@declare("net.CIDR :: prefixLength() -> int")
def _prefix_length(cidr: Interface) -> int:
    return cidr.network.prefixlen
