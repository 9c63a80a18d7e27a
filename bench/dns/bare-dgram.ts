/** The floor of `node:dgram`: sends every packet back as an answer, and looks at nothing. */
import { createSocket } from 'node:dgram';

const socket = createSocket({
  type: 'udp4',
  recvBufferSize: 4 * 1024 * 1024,
  lookup: (hostname, _options, done) => done(null, hostname, 4),
});
socket.on('message', (message, { address, port }) => {
  message[2] = 0x84;
  socket.send(message, port, address);
});
socket.bind(Number(process.argv[2]), '127.0.0.1');
