/** Numbers of the DNS registries that this server speaks (IANA "Domain Name System Parameters"). */

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  CDS: 59,
  CDNSKEY: 60,
  /** Only in NSEC records (RFC 9824 3.1). */
  NXNAME: 128,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

const TYPE_NAMES = new Map<number, string>([
  ...Object.entries(TYPE).map(([name, number]): [number, string] => [number, name]),
  [64, 'SVCB'],
  [65, 'HTTPS'],
  [257, 'CAA'],
]);

/** A type's mnemonic; every unknown one is `other`, so that a stranger cannot grow the metrics. */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? 'other';
}

export const CLASS_IN = 1;

export const OPCODE_QUERY = 0;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  /** Extended: its upper eight bits travel in the OPT record (RFC 6891 6.1.3). */
  BADVERS: 16,
  /** RFC 7873 8. */
  BADCOOKIE: 23,
} as const;

const RCODE_NAMES = new Map<number, string>(
  Object.entries(RCODE).map(([name, number]): [number, string] => [number, name]),
);

export function rcodeName(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? String(rcode);
}

/** Bits of the header's second 16-bit word (RFC 1035 4.1.1, RFC 4035 3). */
export const FLAG = {
  QR: 0x8000,
  OPCODE: 0x7800,
  AA: 0x0400,
  TC: 0x0200,
  RD: 0x0100,
  CD: 0x0010,
} as const;

export const EDNS_OPTION = {
  NSID: 3,
  CLIENT_SUBNET: 8,
  COOKIE: 10,
  TCP_KEEPALIVE: 11,
  PADDING: 12,
  EXTENDED_ERROR: 15,
} as const;

/** The DO bit in the OPT record's TTL (RFC 3225). */
export const EDNS_DO = 0x8000;

/** The CO bit: the client takes NXDOMAIN with a compact denial (RFC 9824 5.1). */
export const EDNS_CO = 0x4000;

/** Extended DNS errors (RFC 8914 4). */
export const EXTENDED_ERROR = {
  NOT_READY: 14,
  PROHIBITED: 18,
  NOT_AUTHORITATIVE: 20,
  NOT_SUPPORTED: 21,
  INVALID_TYPE: 30,
} as const;

export const HEADER_BYTES = 12;

/** UDP without EDNS (RFC 1035 4.2.1). */
export const PLAIN_UDP_BYTES = 512;

/** Largest UDP answer: it passes any path unfragmented (DNS flag day 2020). */
export const MAX_UDP_BYTES = 1_232;

/** The length prefix of TCP has 16 bits (RFC 1035 4.2.2). */
export const MAX_TCP_BYTES = 65_535;
