/**
 * Reads a query in place: nothing is copied but the name's key and the client's subnet.
 *
 *     bytes ──> Query      what is to be answered
 *           ──> Fault      an error answer, with as much of the question as could be read
 *           ──> nothing    silence: too short to have an id, or itself a response
 */
import { isCookieLength } from '../cookies/cookies.ts';
import { type ClientSubnet, readClientSubnet } from './client-subnet.ts';
import { EDNS_CO, EDNS_DO, EDNS_OPTION, FLAG, HEADER_BYTES, OPCODE_QUERY, RCODE, TYPE } from './constants.ts';
import { endOfName, keyOfWire, skipName } from './name.ts';

export interface Edns extends EdnsOptions {
  version: number;
  /** The largest UDP answer that the client takes. */
  udpBytes: number;
  dnssecOk: boolean;
  /** It takes NXDOMAIN with a compact denial. */
  compactOk: boolean;
}

/** Options that mean something here; all others are passed over (RFC 6891 6.1.2). */
export interface EdnsOptions {
  clientSubnet: ClientSubnet | undefined;
  /** Client cookie, and server cookie if it has one; good as long as the message is. */
  cookie: Buffer | undefined;
  /** It asks who we are (RFC 5001). */
  nsid: boolean;
  /** It asks how long a connection may be idle (RFC 7828). */
  keepalive: boolean;
  /** It hides the length of its query, and wants that of the answer hidden (RFC 7830). */
  padding: boolean;
}

interface Asked {
  id: number;
  /** The header's flags as they came. */
  flags: number;
  edns: Edns | undefined;
}

export interface Query extends Asked {
  /** Where the question ends; it begins behind the header. 12 when there is none to repeat. */
  questionEnd: number;
  nameEnd: number;
  /** The name in lower case, see name.ts. */
  key: string;
  type: number;
  class: number;
}

export interface Fault extends Asked {
  questionEnd: number;
  rcode: number;
}

export function isFault(read: Query | Fault): read is Fault {
  return 'rcode' in read;
}

export function readQuery(message: Buffer): Query | Fault | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  // Answering a response could make two servers talk to each other forever.
  if (flags & FLAG.QR) return undefined;
  const questions = message.readUInt16BE(4);
  const questionsEnd = endOfQuestions(message, questions);
  const { valid, edns } = questionsEnd < 0 ? NOTHING_READ : readRecords(message, questionsEnd);
  // A question is repeated when it is one; what else was sent there nobody could match to it.
  const questionEnd = questions === 1 && questionsEnd > 0 ? questionsEnd : HEADER_BYTES;
  const fault = (rcode: number): Fault => ({ id, flags, edns, questionEnd, rcode });
  if ((flags & FLAG.OPCODE) >> 11 !== OPCODE_QUERY) return fault(RCODE.NOTIMP);
  // Without a question, only to get a cookie (RFC 7873 5.4).
  if (valid && questions === 0 && edns?.cookie) return fault(RCODE.NOERROR);
  // RFC 9619: a query has one question.
  if (!valid || questions !== 1) return fault(RCODE.FORMERR);
  const nameEnd = questionEnd - QUESTION_FIXED_BYTES;
  const type = message.readUInt16BE(nameEnd);
  // OPT is no type that a name could have (RFC 6891 6.1.1).
  if (type === TYPE.OPT) return fault(RCODE.FORMERR);
  return {
    id,
    flags,
    edns,
    questionEnd,
    nameEnd,
    key: keyOfWire(message, HEADER_BYTES, nameEnd),
    type,
    class: message.readUInt16BE(nameEnd + 2),
  };
}

/** Type and class: what stands behind a question's name. */
const QUESTION_FIXED_BYTES = 4;

const NOTHING_READ = { valid: false, edns: undefined };

/** Where the questions end, or -1 when they are none that can be read. */
function endOfQuestions(message: Buffer, count: number): number {
  let at = HEADER_BYTES;
  for (let index = 0; index < count; index++) {
    const nameEnd = endOfName(message, at, message.length);
    at = nameEnd + QUESTION_FIXED_BYTES;
    if (nameEnd < 0 || at > message.length) return -1;
  }
  return at;
}

/** Type, class, TTL and length: what stands between a record's name and its data. */
const RECORD_FIXED_BYTES = 10;

/** Goes through the records behind the question, for the OPT record among them. */
function readRecords(message: Buffer, start: number): { valid: boolean; edns: Edns | undefined } {
  const before = message.readUInt16BE(6) + message.readUInt16BE(8);
  const count = before + message.readUInt16BE(10);
  const end = message.length;
  let at = start;
  let edns: Edns | undefined;
  for (let index = 0; index < count; index++) {
    const fixed = skipName(message, at, end);
    if (fixed < 0 || fixed + RECORD_FIXED_BYTES > end) return { valid: false, edns };
    const data = fixed + RECORD_FIXED_BYTES;
    const dataEnd = data + message.readUInt16BE(fixed + 8);
    if (dataEnd > end) return { valid: false, edns };
    if (message.readUInt16BE(fixed) === TYPE.OPT) {
      // One OPT, in the additional section, named by the root (RFC 6891 6.1.1 and 6.1.2).
      if (edns !== undefined || index < before || fixed !== at + 1) return { valid: false, edns };
      const options = readOptions(message, data, dataEnd);
      edns = readEdns(message, fixed, options ?? NO_OPTIONS);
      // A later version may read its options another way; it gets BADVERS, not FORMERR.
      if (options === undefined && edns.version === 0) return { valid: false, edns };
    }
    at = dataEnd;
  }
  return { valid: at === end, edns };
}

function readEdns(message: Buffer, fixed: number, options: EdnsOptions): Edns {
  const flags = message.readUInt16BE(fixed + 6);
  return {
    udpBytes: message.readUInt16BE(fixed + 2),
    version: message[fixed + 5] ?? 0,
    dnssecOk: (flags & EDNS_DO) !== 0,
    compactOk: (flags & EDNS_CO) !== 0,
    ...options,
  };
}

const NO_OPTIONS: EdnsOptions = {
  clientSubnet: undefined,
  cookie: undefined,
  nsid: false,
  keepalive: false,
  padding: false,
};

/** Nothing when one of them is malformed. Of several of one code the first counts, as in gdnsd. */
function readOptions(message: Buffer, start: number, end: number): EdnsOptions | undefined {
  const options = { ...NO_OPTIONS };
  for (let at = start; at < end; ) {
    if (at + 4 > end) return undefined;
    const code = message.readUInt16BE(at);
    const length = message.readUInt16BE(at + 2);
    at += 4;
    if (at + length > end || !readOption(options, message, code, at, length)) return undefined;
    at += length;
  }
  return options;
}

function readOption(
  options: EdnsOptions,
  message: Buffer,
  code: number,
  at: number,
  length: number,
): boolean {
  switch (code) {
    case EDNS_OPTION.CLIENT_SUBNET: {
      const subnet = readClientSubnet(message, at, length);
      options.clientSubnet ??= subnet;
      return subnet !== undefined;
    }
    case EDNS_OPTION.COOKIE:
      options.cookie ??= message.subarray(at, at + length);
      return isCookieLength(length);
    case EDNS_OPTION.NSID:
      options.nsid = true;
      return true;
    case EDNS_OPTION.TCP_KEEPALIVE:
      options.keepalive = true;
      return true;
    case EDNS_OPTION.PADDING:
      options.padding = true;
      return true;
    default:
      return true;
  }
}
