/**
 * The name that a TLS client asks for, read from the first bytes of its connection before any of TLS is done: by it the
 * certificates are chosen, the lowest version, and whether there is a handshake at all. Pure.
 *
 *     record (22, version, length) ─┬─> handshake message (1, length) ─> fixed fields ─> extensions ─> server_name
 *     record …                     ─┘
 */

export type ClientHello =
  /** The name in lower case, '' where the client gave none. */
  | { kind: 'hello'; serverName: string }
  | { kind: 'incomplete' }
  /** `text`: it looks like a request of plain HTTP. */
  | { kind: 'invalid'; text: boolean };

const INCOMPLETE = { kind: 'incomplete' } as const;
const INVALID = { kind: 'invalid', text: false } as const;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** RFC 8446 5.1: a record holds no more. */
const MAX_RECORD = 2 ** 14;
/** Post-quantum key shares take 2 KiB; nobody needs eight times that. */
export const MAX_HELLO_BYTES = 2 ** 14;

export function readClientHello(bytes: Buffer): ClientHello {
  const first = bytes[0];
  if (first === undefined) return INCOMPLETE;
  if (first !== HANDSHAKE) return { kind: 'invalid', text: first >= 0x41 && first <= 0x5a };
  const message = handshakeMessage(bytes);
  if (!Buffer.isBuffer(message)) return message;
  const serverName = serverNameIn(message);
  return serverName === undefined ? INVALID : { kind: 'hello', serverName };
}

/**
 * The body of the first handshake message, which may be spread over records (RFC 8446 5.1). They are put together when it
 * is whole: done for each, records of one byte would cost the square of their number, at every packet that comes.
 */
function handshakeMessage(bytes: Buffer): Buffer | typeof INCOMPLETE | typeof INVALID {
  const parts: Buffer[] = [];
  let have = 0;
  let wanted: number | undefined;
  for (let at = 0; ; ) {
    if (bytes.length < at + 5) return INCOMPLETE;
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== HANDSHAKE || bytes[at + 1] !== 3 || length === 0 || length > MAX_RECORD) return INVALID;
    const part = bytes.subarray(at + 5, at + 5 + length);
    parts.push(part);
    have += part.length;
    if (wanted === undefined && have >= 4) {
      const head = joined(parts);
      wanted = 4 + head.readUIntBE(1, 3);
      if (head[0] !== CLIENT_HELLO || wanted > 4 + MAX_HELLO_BYTES) return INVALID;
    }
    if (wanted !== undefined && have >= wanted) return joined(parts).subarray(4, wanted);
    if (part.length < length) return INCOMPLETE;
    at += 5 + length;
  }
}

const joined = (parts: readonly Buffer[]) => (parts.length === 1 && parts[0]) || Buffer.concat(parts);

/** RFC 8446 4.1.2, RFC 6066 3. Nothing where the message breaks its form. */
function serverNameIn(message: Buffer): string | undefined {
  const fields = new Reader(message);
  fields.skip(2 + 32);
  fields.skipVector(1);
  fields.skipVector(2);
  fields.skipVector(1);
  // TLS 1.2 knows hellos that end here.
  const extensions = new Reader(fields.left === 0 ? Buffer.alloc(0) : fields.vector(2));
  let name = '';
  while (extensions.left > 0 && !extensions.broken) {
    if (extensions.number(2) !== SERVER_NAME) extensions.skipVector(2);
    else {
      const data = extensions.vector(2);
      if (!extensions.broken) name = hostName(data) ?? '';
    }
  }
  return fields.broken || extensions.broken ? undefined : name;
}

function hostName(data: Buffer): string | undefined {
  const list = new Reader(new Reader(data).vector(2));
  const type = list.number(1);
  const name = list.vector(2);
  return list.broken || type !== HOST_NAME ? undefined : name.toString('latin1').toLowerCase();
}

/** Reads on behind the end as nothing, and knows that it did. */
class Reader {
  broken = false;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Where it began. */
  skip(length: number): number {
    const from = this.#at;
    if (length > this.left) this.broken = true;
    this.#at += Math.min(length, this.left);
    return from;
  }

  number(size: 1 | 2): number {
    const from = this.skip(size);
    return this.broken ? 0 : this.#bytes.readUIntBE(from, size);
  }

  skipVector(size: 1 | 2): void {
    this.skip(this.number(size));
  }

  /** Bytes with their length before them. */
  vector(size: 1 | 2): Buffer {
    const from = this.skip(this.number(size));
    return this.#bytes.subarray(from, this.#at);
  }
}
