/**
 * Which addresses lie on the open internet: what is not globally routable (this machine, its network, a cloud's metadata
 * service, …) must not be reached for a stranger.
 * Source: IANA IPv4 and IPv6 Special-Purpose Address Registries. Of IPv6 only 2000::/3 is assigned to hosts; what wraps an IPv4
 * address (mapped, NAT64, 6to4, Teredo) lies outside it or is listed, and is refused whatever it wraps.
 */
import { BlockList, isIPv4, isIPv6 } from 'node:net'

const IPV4: [network: string, prefix: number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]
const IPV6: [network: string, prefix: number][] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const special = new BlockList()
for (const [network, prefix] of IPV4) special.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of IPV6) special.addSubnet(network, prefix, 'ipv6')
const hosts = new BlockList()
hosts.addSubnet('2000::', 3, 'ipv6')

/** @param address of either family, without brackets. What is no address is not routable either */
export function isGloballyRoutable(address: string): boolean {
  if (isIPv4(address)) return !special.check(address, 'ipv4')
  return isIPv6(address) && hosts.check(address, 'ipv6') && !special.check(address, 'ipv6')
}
