/**
 * The C library's calls for UDP in batches, through `node:ffi`: Linux on 64-bit little-endian machines. Memory that the
 * kernel reads and writes is mapped outside of the JavaScript heap: no collector can move or free it meanwhile.
 */
import { endianness } from 'node:os';
import { importFfi } from '../../lib/ffi.ts';

/** Addresses in memory, and file descriptors, as the C library has them. */
export interface Libc {
  socket: (domain: number, type: number, protocol: number) => number;
  setsockopt: (fd: number, level: number, name: number, value: bigint, length: number) => number;
  bind: (fd: number, address: bigint, length: number) => number;
  close: (fd: number) => number;
  recvmmsg: (fd: number, headers: bigint, count: number, flags: number, timeout: bigint) => number;
  sendmmsg: (fd: number, headers: bigint, count: number, flags: number) => number;
  /** What went wrong in the call before, as `errno`. */
  errno: () => number;
  /** Memory of its own for as long as the process lives. */
  map: (bytes: number) => Mapped;
}

export interface Mapped {
  at: bigint;
  bytes: Uint8Array;
  view: DataView;
}

const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** Throws where one of the calls is missing. */
export async function loadLibc(): Promise<Libc> {
  if (process.platform !== 'linux') throw new Error(`${process.platform} is not Linux`);
  if (endianness() !== 'LE' || !['x64', 'arm64'].includes(process.arch)) {
    throw new Error(`the layout of messages is not known for ${process.arch}`);
  }
  const ffi = await importFfi();
  const { functions } = ffi.dlopen('libc.so.6', {
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    setsockopt: { arguments: ['int32', 'int32', 'int32', 'uint64', 'uint32'], return: 'int32' },
    bind: { arguments: ['int32', 'uint64', 'uint32'], return: 'int32' },
    close: { arguments: ['int32'], return: 'int32' },
    recvmmsg: { arguments: ['int32', 'uint64', 'uint32', 'int32', 'uint64'], return: 'int32' },
    sendmmsg: { arguments: ['int32', 'uint64', 'uint32', 'int32'], return: 'int32' },
    mmap: { arguments: ['uint64', 'uint64', 'int32', 'int32', 'int32', 'int64'], return: 'uint64' },
    __errno_location: { arguments: [], return: 'uint64' },
  });
  return {
    ...functions,
    errno: () => ffi.getInt32(functions.__errno_location()),
    map(bytes) {
      const at = functions.mmap(0n, BigInt(bytes), PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0n);
      if (at === 2n ** 64n - 1n) throw new Error(`no memory for ${bytes} bytes`);
      const buffer = ffi.toArrayBuffer(at, bytes, false);
      return { at, bytes: new Uint8Array(buffer), view: new DataView(buffer) };
    },
  };
}
