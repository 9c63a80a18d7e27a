/** A message as text, all of it: what is not in the text was not in the message. Read by another implementation. */
import dnsPacket from 'dns-packet';
import { type Decoded, decode, isOpt, type Opt, optOf } from '../../dns-server/testing/ask.ts';

/**
 * Status and flags; `?` the question; `=` answer, `!` authority and `+` additional records; the OPT record with its
 * options in hexadecimal.
 */
export function textOf(bytes: Buffer): string[] {
  const message = decode(bytes);
  const { questions = [], answers = [], authorities = [], additionals = [] } = message;
  const read = dnsPacket.decode.bytes ?? 0;
  return [
    [statusOf(message, bytes), message.opcode === 'QUERY' ? [] : message.opcode, flagsOf(bytes)]
      .flat()
      .join(' '),
    ...questions.map(({ name, type, class: kind }) => `? ${name} ${type}${kind === 'IN' ? '' : ` ${kind}`}`),
    ...answers.map((record) => `= ${recordText(record)}`),
    ...authorities.map((record) => `! ${recordText(record)}`),
    ...additionals.map((record) => (isOpt(record) ? optText(bytes, record) : `+ ${recordText(record)}`)),
    ...(read === bytes.length ? [] : [`${bytes.length - read} bytes more`]),
  ];
}

const FLAGS: [number, string][] = [
  [0x8000, 'qr'],
  [0x0400, 'aa'],
  [0x0200, 'tc'],
  [0x0100, 'rd'],
  [0x0080, 'ra'],
  [0x0040, 'z'],
  [0x0020, 'ad'],
  [0x0010, 'cd'],
];

function flagsOf(bytes: Buffer): string[] {
  const flags = bytes.readUInt16BE(2);
  return FLAGS.flatMap(([bit, name]) => (flags & bit ? name : []));
}

/** The extended ones, by their numbers: the OPT record has the upper eight bits (RFC 6891 6.1.3). */
const EXTENDED = new Map([
  [16, 'BADVERS'],
  [23, 'BADCOOKIE'],
]);

function statusOf(message: Decoded, bytes: Buffer): string {
  const rcode = ((optOf(message)?.extendedRcode ?? 0) << 4) | (bytes.readUInt16BE(2) & 0x0f);
  return rcode < 16 ? message.rcode : (EXTENDED.get(rcode) ?? String(rcode));
}

function recordText(record: unknown): string {
  const { name, ttl, type, data } = record as { name: string; ttl: number; type: string; data: unknown };
  return `${name} ${ttl} ${type} ${dataText(data)}`;
}

function dataText(data: unknown): string {
  if (Buffer.isBuffer(data)) return data.toString('hex');
  if (Array.isArray(data)) return data.map((part) => JSON.stringify(String(part))).join(' ');
  return typeof data === 'string'
    ? data
    : Object.values(data as object)
        .map(String)
        .join(' ');
}

function optText(bytes: Buffer, { udpPayloadSize, ednsVersion, flags, options }: Opt): string {
  // The library reads some options and drops their bytes.
  const given = options.map(({ code }) => `${code}:${optionBytes(bytes, code).toString('hex')}`);
  return ['opt', udpPayloadSize, `v${ednsVersion}`, flags === 0 ? [] : `flags ${flags.toString(16)}`, given]
    .flat()
    .join(' ');
}

/** The data of an option of the OPT record, which stands last in the answers of these tests. */
function optionBytes(bytes: Buffer, code: number): Buffer {
  const opt = bytes.lastIndexOf(Buffer.of(0, 0, 41));
  for (let at = opt + 11; at + 4 <= bytes.length; at += 4 + bytes.readUInt16BE(at + 2)) {
    if (bytes.readUInt16BE(at) === code) return bytes.subarray(at + 4, at + 4 + bytes.readUInt16BE(at + 2));
  }
  throw new Error(`no option ${code}`);
}
