/** Good queries of every kind that the server knows: what is mutated. */
import { queryBytes } from '../testing/ask.ts';

const NAMES = [
  'video.demo.cdn.example.net',
  'cdn.example.net',
  'www.cdn.example.net',
  'loop-a.cdn.example.net',
  'x.y.wild.cdn.example.net',
  'host.sub.cdn.example.net',
  'a.old.cdn.example.net',
  'nowhere.cdn.example.net',
  'zz-1.node.cdn.example.net',
  'example.org',
  '.',
];
const TYPES = ['A', 'AAAA', 'NS', 'SOA', 'TXT', 'ANY', 'DS', 'DNSKEY', 'NSEC', 'RRSIG', 'AXFR'];

const option = (code: number, hex: string) => ({ code, data: Buffer.from(hex, 'hex') });
const ASKED = [
  {},
  { edns: {} },
  { edns: { flags: 0x8000 } },
  { edns: { flags: 0xc000, udpPayloadSize: 65_535 } },
  { subnet: '202.102.224.0/20' },
  { subnet: '240e::/32' },
  { edns: { options: [option(10, '0102030405060708'), option(3, ''), option(11, ''), option(12, '0000')] } },
  {
    edns: {
      options: [option(10, '01020304050607080100000000000000aabbccddeeff0011'), option(8, '00010000')],
    },
  },
];

export function corpus(): Buffer[] {
  return NAMES.flatMap((name, row) =>
    TYPES.flatMap((type, column) => {
      // All pairs of name and type, and by and by all options with each.
      const asked = [ASKED[(row + column) % ASKED.length], ASKED[(3 * row + column + 1) % ASKED.length]];
      return asked.map((options) => queryBytes(name, { type, ...options }));
    }),
  );
}
