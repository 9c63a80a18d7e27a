/**
 * Bytes between a socket and the kernel, as the handle below it counts them. What Socket tells counts a write when it is
 * done, and one write may be a whole body; and below TLS the socket itself reads and writes nothing. `_handle` is not
 * documented by Node, which has its own time-outs look there too.
 */
import type { Socket } from 'node:net';

/** That the kernel took. */
export function leftFor(socket: Socket): number {
  const handle = handleOf(socket);
  return handle === undefined ? socket.bytesWritten : number(handle, 'bytesWritten') - unsent(handle);
}

/** That the kernel gave. */
export function cameFrom(socket: Socket): number {
  const handle = handleOf(socket);
  return handle === undefined ? socket.bytesRead : number(handle, 'bytesRead');
}

/** Whether the kernel has taken all that came down to this socket. */
export function hasAllLeft(socket: Socket): boolean {
  const handle = handleOf(socket);
  return handle !== undefined && unsent(handle) === 0;
}

function handleOf(socket: Socket): object | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  return typeof handle === 'object' && handle !== null ? handle : undefined;
}

const unsent = (handle: object) => number(handle, 'writeQueueSize');

function number(handle: object, name: string): number {
  const value: unknown = Reflect.get(handle, name);
  return typeof value === 'number' ? value : 0;
}
