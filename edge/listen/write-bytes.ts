/** Head and body to a socket at once, in the way that costs least. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { BLOCK_BYTES } from '../cache/stored-object.ts';

/** A body up to this size is copied behind its head: one buffer is cheaper to write than two. */
const COPIED_BYTES = 8_192;
/** Where the two come together for TLS, again and again: it stays in the processor's cache, and off the collector. */
const room = Buffer.allocUnsafeSlow(BLOCK_BYTES + 16_384);

/** `head` is Latin-1, and may be empty. `onWritten` hears when the kernel has all of it, or that it never will. */
export function writeBytes(socket: Socket, head: string, body: Buffer, onWritten?: () => void): void {
  const length = head.length + body.length;
  if (head === '') {
    socket.write(body, onWritten);
    return;
  }
  if (length <= room.length && isReadAtOnce(socket)) {
    socket.write(join(room.subarray(0, length), head, body), onWritten);
    return;
  }
  if (body.length > COPIED_BYTES) {
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body, onWritten);
    socket.uncork();
    return;
  }
  socket.write(join(Buffer.allocUnsafe(length), head, body), onWritten);
}

function join(into: Buffer, head: string, body: Buffer): Buffer {
  into.write(head, 0, 'latin1');
  body.copy(into, head.length);
  return into;
}

/** TLS has encrypted what it is given, or copied it, when `write` returns; what waits behind other writes it is not given. */
function isReadAtOnce(socket: Socket): boolean {
  return socket instanceof TLSSocket && socket.writableLength === 0 && socket.writableCorked === 0;
}
