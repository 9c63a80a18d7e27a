/** The floor of recvmmsg and sendmmsg from JavaScript: sends every packet back as an answer, and looks at nothing. */
import { BATCH, BatchMemory, writeSocketAddress } from '../../dns-server/listen/batch-memory.ts';
import { loadLibc } from '../../dns-server/listen/libc.ts';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const MSG_WAITFORONE = 0x10000;
const SOCKET = { version: 4, wildcard: false } as const;

const libc = await loadLibc();
const fd = libc.socket(AF_INET, SOCK_DGRAM, 0);
const name = libc.map(64);
const nameBytes = writeSocketAddress(name.view, Uint8Array.of(127, 0, 0, 1), Number(process.argv[2]));
if (libc.bind(fd, name.at, nameBytes) < 0) throw new Error(`bind: errno ${libc.errno()}`);

const received = new BatchMemory(libc, SOCKET);
const sent = new BatchMemory(libc, SOCKET, received);
for (;;) {
  const count = libc.recvmmsg(fd, received.headers, BATCH, MSG_WAITFORONE, 0n);
  for (let index = 0; index < count; index++) {
    received.bytes[received.packetAt(index) + 2] = 0x84;
    sent.setLength(index, received.receivedLength(index));
  }
  for (let at = 0; at < count; ) at += Math.max(1, libc.sendmmsg(fd, sent.headersAt(at), count - at, 0));
}
