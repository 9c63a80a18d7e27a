/** What must be true of every answer, to whatever was sent. */

/** Everything that a server of ours may answer; SERVFAIL would be a bug. */
const RCODES = [0, 1, 3, 4, 5, 6];
const OPT = 41;
const MAX_UDP_BYTES = 1_232;
const PLAIN_UDP_BYTES = 512;

/** What is wrong with the answer, or nothing. */
export function faultOf(
  query: Buffer,
  answer: Buffer | undefined,
  transport: 'udp' | 'tcp',
): string | undefined {
  const silent = query.length < 12 || (query.readUInt16BE(2) & 0x8000) !== 0;
  if (answer === undefined) return silent ? undefined : 'silence';
  if (silent) return 'an answer to what is no query';
  const flags = answer.readUInt16BE(2);
  const checks: [string, boolean][] = [
    ['another id', answer.readUInt16BE(0) !== query.readUInt16BE(0)],
    ['no QR', (flags & 0x8000) === 0],
    ['another opcode', (flags & 0x7800) !== (query.readUInt16BE(2) & 0x7800)],
    ['RA or AD', (flags & 0x00a0) !== 0],
    ['a response code that there is not', !RCODES.includes(flags & 0x0f)],
  ];
  const header = checks.find(([, wrong]) => wrong)?.[0];
  return header ?? bodyFault(query, answer, transport);
}

function bodyFault(query: Buffer, answer: Buffer, transport: 'udp' | 'tcp'): string | undefined {
  const records = readRecords(answer);
  if (records === undefined) return 'it cannot be read';
  const edns = records.types.includes(OPT);
  const limit = edns ? MAX_UDP_BYTES : PLAIN_UDP_BYTES;
  if (transport === 'udp' && answer.length > limit) return `${answer.length} bytes over UDP`;
  if (transport === 'tcp' && answer.readUInt16BE(2) & 0x0200) return 'TC over TCP';
  const { questionEnd } = records;
  if (!answer.subarray(12, questionEnd).equals(query.subarray(12, questionEnd))) return 'another question';
  if (records.types.filter((type) => type === OPT).length > 1) return 'two OPT records';
  const truncated = (answer.readUInt16BE(2) & 0x0200) !== 0;
  return truncated && records.types.some((type) => type !== OPT) ? 'records beside TC' : undefined;
}

/** The types of all records; nothing unless the message ends just behind the last one. */
function readRecords(message: Buffer): { types: number[]; questionEnd: number } | undefined {
  const questions = message.readUInt16BE(4);
  if (questions > 1) return undefined;
  let at = questions === 1 ? endOfName(message, 12) + 4 : 12;
  const questionEnd = at;
  const types: number[] = [];
  const count = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let index = 0; index < count; index++) {
    const fixed = endOfName(message, at);
    if (fixed < 0 || fixed + 10 > message.length) return undefined;
    types.push(message.readUInt16BE(fixed));
    at = fixed + 10 + message.readUInt16BE(fixed + 8);
  }
  return at === message.length ? { types, questionEnd } : undefined;
}

/** Follows pointers, which must go backwards: -1 when they do not. */
function endOfName(message: Buffer, start: number): number {
  let end = -1;
  for (let at = start, hops = 0; at < message.length; ) {
    const length = message[at] ?? 0;
    if (length >= 0xc0) {
      if (end < 0) end = at + 2;
      const target = message.readUInt16BE(at) & 0x3fff;
      if (target >= at || ++hops > 128) return -1;
      at = target;
      continue;
    }
    if (length > 63) return -1;
    at += 1 + length;
    if (length === 0) return end < 0 ? at : end;
  }
  return -1;
}
