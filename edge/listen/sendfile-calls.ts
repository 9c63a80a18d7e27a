/** sendfile(2), and the sendmsg(2) of the head before it, through `node:ffi` on Linux. Touches nothing but the descriptors given. */
import { importFfi } from '../../lib/ffi.ts';

/** Both give how many bytes the socket took; less than none is an error, which the next ordinary write meets too. */
export interface SendfileCalls {
  sendfile(socket: number, file: number, first: number, count: number): number;
  /** Of what will be a full packet with what follows; at most `HEAD_ROOM_BYTES`. */
  sendHead(socket: number, head: string): number;
}

/** Heads that are longer are written the ordinary way. */
export const HEAD_ROOM_BYTES = 8_192;
/** Linux, on all architectures: more follows at once; do not wait; no SIGPIPE. */
const MSG_MORE = 0x8000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/**
 * What the kernel reads, in words of eight bytes, and the head's room behind them: one piece of memory, which is there as
 * long as any of it is used. A struct msghdr of 64-bit Linux (seven words, of which two are not zero), its one struct
 * iovec, and the offset of sendfile, which is written back.
 */
const WORD = { PIECES: 2, PIECE_COUNT: 3, PIECE: 7, PIECE_LENGTH: 8, OFFSET: 9 } as const;
const ROOM_AT = 80;

/** Throws where they are not to be had. */
export async function loadSendfileCalls(): Promise<SendfileCalls> {
  if (process.platform !== 'linux') throw new Error(`${process.platform} is not Linux`);
  const ffi = await importFfi();
  const { functions } = ffi.dlopen('libc.so.6', {
    // Counts of 32 bits, which those here are: as many of 64 would be made into BigInts, call for call.
    sendfile: { arguments: ['int32', 'int32', 'uint64', 'uint32'], return: 'int32' },
    // And not send(2): `node:ffi` is twice as quick with three arguments as with four, 0.3 µs of a hit's 15.
    sendmsg: { arguments: ['int32', 'uint64', 'int32'], return: 'int32' },
  });
  const memory = new ArrayBuffer(ROOM_AT + HEAD_ROOM_BYTES);
  const at = ffi.getRawPointer(memory);
  const words = new BigUint64Array(memory, 0, ROOM_AT / 8);
  const room = Buffer.from(memory, ROOM_AT);
  words[WORD.PIECES] = at + BigInt(8 * WORD.PIECE);
  words[WORD.PIECE_COUNT] = 1n;
  words[WORD.PIECE] = at + BigInt(ROOM_AT);
  const offsetAt = at + BigInt(8 * WORD.OFFSET);
  return {
    sendfile(socket, file, first, count) {
      words[WORD.OFFSET] = BigInt(first);
      return functions.sendfile(socket, file, offsetAt, count);
    },
    sendHead(socket, head) {
      words[WORD.PIECE_LENGTH] = BigInt(room.write(head, 'latin1'));
      return functions.sendmsg(socket, at, MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL);
    },
  };
}
