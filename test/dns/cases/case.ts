/** A query, the whole answer to it as message.ts writes it, and what is counted; and the pieces that cases share. */
import { queryBytes } from '../../../dns-server/testing/ask.ts';

export const ZONE = 'cdn.example.net';
export const VIDEO = `video.demo.${ZONE}`;

export type Way = 'udp' | 'tcp';

export interface Case {
  what: string;
  message: Buffer;
  /** As message.ts writes it. */
  answer: string[];
  counted: (way: Way) => Record<string, number>;
  /** Where it is asked, when not everywhere. */
  only?: Way;
}

const soa = (ttl: number) =>
  `${ZONE} ${ttl} SOA ns1.${ZONE} hostmaster.example.net 12582919 3600 600 1209600 60`;
export const NEGATIVE = `! ${soa(60)}`;
export const SOA = `= ${soa(3_600)}`;
export const OPT = 'opt 1232 v0';

export interface Extra {
  only?: Way;
  /** Beside the query itself. */
  more?: (way: Way) => Record<string, number>;
  /** Its type as it is counted: nothing when no question could be read. */
  type?: string;
}

/** The first line of an answer begins with its code, by which it is counted. */
export function given(what: string, message: Buffer, answer: string[], extra: Extra = {}): Case {
  const { more = () => ({}), only, type = typeOf(answer) } = extra;
  const rcode = answer[0]?.split(' ')[0] ?? '';
  const counted = (way: Way) => ({
    [`weir_dns_queries_total{transport="${way}",type="${type}",rcode="${rcode}"}`]: 1,
    ...more(way),
  });
  return { what, message, answer, counted, ...(only && { only }) };
}

function typeOf(answer: string[]): string {
  return answer.find((line) => line.startsWith('? '))?.split(' ')[2] ?? 'other';
}

export const word = (message: Buffer, at: number, value: number): Buffer => {
  const changed = Buffer.from(message);
  changed.writeUInt16BE(value, at);
  return changed;
};
export const flags = (value: number, message: Buffer) => word(message, 2, value);
export const option = (code: number, hex = '') => ({ code, data: Buffer.from(hex, 'hex') });
export const withOptions = (type: string, ...options: ReturnType<typeof option>[]) =>
  queryBytes(ZONE, { type, edns: { options } });
export const soaQuery = queryBytes(ZONE, { type: 'SOA' });
export const soaAnswer = (head = 'NOERROR qr aa') => [head, `? ${ZONE} SOA`, SOA];

export const named = (name: string) => `${name}.${ZONE}`;
export const asked = (name: string, type: string) => queryBytes(name === '@' ? ZONE : named(name), { type });
