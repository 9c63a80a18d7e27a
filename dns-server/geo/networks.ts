/** Networks that the user places by hand: members of regions, and files `prefix,region,asn`. */
import ipaddr from 'ipaddr.js';
import type { IpAddress } from './ip-address.ts';
import { PrefixTrie } from './prefix-trie.ts';

/** One row; region and AS number may be missing, and then the other sources tell. */
export interface Network {
  cidr: string;
  region: string | undefined;
  asn: number | undefined;
}

/** Reads a file; what is wrong with a row is told with its number, and the others are taken. */
export function parseNetworks(
  text: string,
  known: ReadonlySet<string>,
): { networks: Network[]; faults: string[] } {
  const networks: Network[] = [];
  const faults: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const [cidr = '', region = '', digits = ''] = line.split(',', 3).map((field) => field.trim());
    if (cidr === '' || cidr.startsWith('#') || (index === 0 && cidr === 'prefix')) continue;
    const fault = faultIn(cidr, region, digits, known);
    if (fault) faults.push(`line ${index + 1}: ${fault}`);
    else
      networks.push({ cidr, region: region || undefined, asn: digits === '' ? undefined : Number(digits) });
  }
  return { networks, faults };
}

function faultIn(cidr: string, region: string, asn: string, known: ReadonlySet<string>): string | undefined {
  if (!ipaddr.isValidCIDR(cidr)) return `${cidr} is no network, such as 192.0.2.0/24`;
  if (region !== '' && !known.has(region))
    return `${region} is none of the regions: ${[...known].join(', ')}`;
  if (!/^\d{0,10}$/.test(asn) || Number(asn) >= 2 ** 32) return `${asn} is no AS number, such as 4837`;
  return undefined;
}

/** By IP version, the AS numbers that the user's networks have. */
export function asnsOfNetworks(networks: readonly Network[]): Record<4 | 6, PrefixTrie<number>> {
  const tries = { 4: new PrefixTrie<number>(), 6: new PrefixTrie<number>() };
  for (const { cidr, asn } of networks) {
    if (asn === undefined) continue;
    const { version, bytes, length } = parseCidr(cidr);
    tries[version].add(bytes, length, asn);
  }
  return tries;
}

export function parseCidr(cidr: string): IpAddress & { length: number } {
  const [network, length] = ipaddr.parseCIDR(cidr);
  return {
    version: network.kind() === 'ipv4' ? 4 : 6,
    bytes: Uint8Array.from(network.toByteArray()),
    length,
  };
}
