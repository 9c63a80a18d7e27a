/** sendfile(2), and the send(2) of the head before it, through `node:ffi` on Linux. Touches nothing but the descriptors given. */
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

/** Throws where they are not to be had. */
export async function loadSendfileCalls(): Promise<SendfileCalls> {
  if (process.platform !== 'linux') throw new Error(`${process.platform} is not Linux`);
  const ffi = await importFfi();
  const { functions } = ffi.dlopen('libc.so.6', {
    sendfile: { arguments: ['int32', 'int32', 'uint64', 'uint64'], return: 'int64' },
    send: { arguments: ['int32', 'uint64', 'uint64', 'int32'], return: 'int64' },
  });
  // The kernel reads the offset from memory, and writes it back.
  const offset = new BigInt64Array(1);
  const offsetAt = ffi.getRawPointer(offset);
  const room = Buffer.allocUnsafeSlow(HEAD_ROOM_BYTES);
  const roomAt = ffi.getRawPointer(room);
  return {
    sendfile(socket, file, first, count) {
      offset[0] = BigInt(first);
      return Number(functions.sendfile(socket, file, offsetAt, BigInt(count)));
    },
    sendHead(socket, head) {
      const length = room.write(head, 'latin1');
      return Number(functions.send(socket, roomAt, BigInt(length), MSG_MORE | MSG_DONTWAIT | MSG_NOSIGNAL));
    },
  };
}
