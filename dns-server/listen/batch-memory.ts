/**
 * The memory of one batch, laid out as recvmmsg(2) and sendmmsg(2) want it. Headers point at their parts once and for
 * all; per packet only lengths change.
 *
 *     header i ─> name i
 *              ─> vector i ─> packet i
 *              ─> control i, where a socket listens on all addresses: the one that the packet came to
 *
 * An answer stands where its query stood and goes to who sent it: the memory for sending has headers and vectors of its
 * own, for the lengths, and the names and packets of the one that received.
 */
import type { Libc, Mapped } from './libc.ts';

/** Packets received and sent by one call. */
export const BATCH = 64;
/** Larger queries are no queries: they are cut off, and what is left is malformed. */
export const PACKET_BYTES = 2_048;
/** From one packet to the next: were it a power of two, all of them would compete for the same few lines of the cache. */
const PACKET_STRIDE = PACKET_BYTES + 192;

/** struct mmsghdr on 64-bit Linux: msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, flags, msg_len. */
const HEADER = {
  BYTES: 64,
  NAME: 0,
  NAME_LENGTH: 8,
  VECTOR: 16,
  VECTORS: 24,
  CONTROL: 32,
  CONTROL_LENGTH: 40,
  LENGTH: 56,
} as const;
/** struct iovec. */
const VECTOR = { BYTES: 16, BASE: 0, LENGTH: 8 } as const;
/** struct sockaddr_storage, as far as IP needs it. */
export const NAME_BYTES = 32;

/**
 * The control message with the address that a packet came to: struct cmsghdr, and in_pktinfo or in6_pktinfo behind it. To
 * send with it is to send from that address. The interface is left to the routes; only link-local addresses need theirs.
 */
const CMSG_BYTES = 16;
const CONTROL = { 4: { BYTES: 32, INTERFACE: 16 }, 6: { BYTES: 40, INTERFACE: 32 } } as const;
/** Room for either. */
const CONTROL_BYTES = 40;

const AF_INET = 2;
const AF_INET6 = 10;

/** As the kernel tells it: struct sockaddr, and the control message where the socket listens on all addresses. */
export interface Sender {
  name: Uint8Array;
  control: Uint8Array;
}

export interface BatchSocket {
  version: 4 | 6;
  /** It listens on all addresses: each answer has to leave from the one that was asked. */
  wildcard: boolean;
}

export class BatchMemory {
  readonly #memory: Mapped;
  readonly #names: number;
  readonly #vectors: number;
  readonly #controls: number;
  readonly #packets: number;
  readonly #socket: BatchSocket;

  /** With `of` it is for answers to what that one received. */
  constructor(libc: Libc, socket: BatchSocket, of?: BatchMemory) {
    this.#socket = socket;
    this.#vectors = BATCH * HEADER.BYTES;
    this.#names = this.#vectors + BATCH * VECTOR.BYTES;
    this.#controls = this.#names + BATCH * NAME_BYTES;
    this.#packets = this.#controls + BATCH * CONTROL_BYTES;
    this.#memory = libc.map(of ? this.#names : this.#packets + BATCH * PACKET_STRIDE);
    for (let index = 0; index < BATCH; index++) this.#connect(index, of ?? this);
  }

  get headers(): bigint {
    return this.#memory.at;
  }

  headersAt(index: number): bigint {
    return index === 0 ? this.#memory.at : this.#memory.at + BigInt(index * HEADER.BYTES);
  }

  get bytes(): Uint8Array {
    return this.#memory.bytes;
  }

  get view(): DataView {
    return this.#memory.view;
  }

  packetAt(index: number): number {
    return this.#packets + index * PACKET_STRIDE;
  }

  nameAt(index: number): number {
    return this.#names + index * NAME_BYTES;
  }

  /** Where the packet came to, on a socket that listens on all addresses. */
  controlAt(index: number): number {
    return this.#controls + index * CONTROL_BYTES;
  }

  /** Before a batch is received: what the kernel wrote there for the one before may be shorter. */
  clearControls(): void {
    if (!this.#socket.wildcard) return;
    const { BYTES } = CONTROL[this.#socket.version];
    for (let index = 0; index < BATCH; index++)
      this.#memory.view.setUint32(index * HEADER.BYTES + HEADER.CONTROL_LENGTH, BYTES, true);
  }

  /** The answer leaves by whatever interface leads to its client; a link-local address means nothing without its own. */
  freeInterface(index: number): void {
    const { version, wildcard } = this.#socket;
    if (!wildcard) return;
    const at = this.controlAt(index);
    const isLinkLocal = version === 6 && (this.#memory.view.getUint16(at + CMSG_BYTES) & 0xffc0) === 0xfe80;
    if (!isLinkLocal) this.#memory.view.setUint32(at + CONTROL[version].INTERFACE, 0, true);
  }

  /** Puts an answer there that was made elsewhere, to the sender that the kernel named so. */
  put(index: number, { name, control }: Sender, answer: Uint8Array): void {
    this.bytes.set(name, this.nameAt(index));
    this.bytes.set(control, this.controlAt(index));
    this.bytes.set(answer, this.packetAt(index));
    this.setLength(index, answer.length);
  }

  /** Who sent the packet, and where to. */
  senderOf(index: number): Sender {
    const part = (at: number, length: number) => this.bytes.slice(at, at + length);
    return {
      name: part(this.nameAt(index), NAME_BYTES),
      control: part(this.controlAt(index), this.#socket.wildcard ? CONTROL_BYTES : 0),
    };
  }

  receivedLength(index: number): number {
    return Math.min(this.#memory.view.getUint32(index * HEADER.BYTES + HEADER.LENGTH, true), PACKET_BYTES);
  }

  /** Packet `index` is to be sent with this length. */
  setLength(index: number, length: number): void {
    this.#memory.view.setUint32(this.#vectors + index * VECTOR.BYTES + VECTOR.LENGTH, length, true);
  }

  #connect(index: number, packets: BatchMemory): void {
    const { version, wildcard } = this.#socket;
    const { view, at } = this.#memory;
    const [header, vector] = [index * HEADER.BYTES, this.#vectors + index * VECTOR.BYTES];
    view.setBigUint64(header + HEADER.NAME, packets.#memory.at + BigInt(packets.nameAt(index)), true);
    view.setBigUint64(header + HEADER.VECTOR, at + BigInt(vector), true);
    view.setBigUint64(header + HEADER.VECTORS, 1n, true);
    view.setBigUint64(vector + VECTOR.BASE, packets.#memory.at + BigInt(packets.packetAt(index)), true);
    view.setBigUint64(vector + VECTOR.LENGTH, BigInt(PACKET_BYTES), true);
    // What the kernel writes there on receiving is the same again: all names of a socket have one length.
    view.setUint32(header + HEADER.NAME_LENGTH, nameBytesOf(version), true);
    if (!wildcard) return;
    view.setBigUint64(header + HEADER.CONTROL, packets.#memory.at + BigInt(packets.controlAt(index)), true);
    view.setBigUint64(header + HEADER.CONTROL_LENGTH, BigInt(CONTROL[version].BYTES), true);
  }
}

/** Where in a struct sockaddr the address stands, and how many bytes it has. */
export const ADDRESS = { 4: [4, 4], 6: [8, 16] } as const;

/** The length of struct sockaddr_in and sockaddr_in6. */
export function nameBytesOf(version: 4 | 6): number {
  return version === 4 ? 16 : 28;
}

/** struct sockaddr_in or sockaddr_in6, for binding; returns its length. */
export function writeSocketAddress(out: DataView, address: Uint8Array, port: number): number {
  const [offset, length] = ADDRESS[address.length === 4 ? 4 : 6];
  out.setUint16(0, address.length === 4 ? AF_INET : AF_INET6, true);
  out.setUint16(2, port);
  for (let at = 0; at < length; at++) out.setUint8(offset + at, address[at] ?? 0);
  return nameBytesOf(address.length === 4 ? 4 : 6);
}
