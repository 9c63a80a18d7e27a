/**
 * `node resuming-client.ts PORT SECONDS`: resumes a session of TLS 1.3 over and over on four connections at a time, ends
 * each in order, and prints how many were resumed. `openssl s_time` leaves before the tickets come.
 */
import { connect } from 'node:tls';

const [port, seconds] = process.argv.slice(2);
const until = performance.now() + Number(seconds) * 1_000;
let session: Buffer | undefined;
let resumed = 0;

function shakeHands(): Promise<void> {
  const socket = connect({
    host: '127.0.0.1',
    port: Number(port),
    // The certificate is one of the bench's own.
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    // The same for all: nginx's OpenSSL does not know the one with ML-KEM, which costs both sides more.
    ecdhCurve: 'X25519',
    session,
  });
  const end = () => setImmediate(() => socket.end());
  socket.once('secureConnect', () => {
    if (!socket.isSessionReused()) return;
    resumed += 1;
    end();
  });
  // A server may send none to who resumed one; one that is used again is as good to them.
  socket.once('session', (ticket) => {
    session = ticket;
    if (!socket.isSessionReused()) end();
  });
  socket.on('error', () => {});
  socket.resume();
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function overAndOver(): Promise<void> {
  while (performance.now() < until) await shakeHands();
}

await Promise.all(Array.from({ length: 4 }, overAndOver));
process.stdout.write(`${resumed}\n`);
