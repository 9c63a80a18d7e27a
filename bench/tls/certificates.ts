/** Memory of certificates, the time to find the one for a name, and the time until another one is in force. */
import { createServer } from 'node:net';
import { connect } from 'node:tls';
import { certificateSecretName } from '../../contract/stream/certificate-secret.ts';
import { servePlan } from '../../edge/plan/served-plan.ts';
import { testCa } from '../../edge/testing/certificates.ts';
import { Certificates } from '../../edge/tls/certificates.ts';
import { readClientHello } from '../../edge/tls/client-hello.ts';
import { createTlsServers } from '../../edge/tls/tls-servers.ts';
import { listen } from '../../lib/listen.ts';
import { silentLog } from '../../lib/log.ts';

export async function certificateFigures(count: number): Promise<string[]> {
  const ca = await testCa();
  const { value, digest } = await ca.issue('bench/any', ['*.example.com']);
  const hello = await helloOf('d1.example.com');
  // Each a string of its own, as they come from the stream.
  const secrets = new Map(
    Array.from({ length: count }, (_, index) => [
      certificateSecretName(`bench/${index}`),
      `${value}${' '.repeat(index % 7)}`,
    ]),
  );
  const domains = Array.from({ length: count }, (_, index) => ({
    uid: `uid-${index}`,
    namespace: 'bench',
    name: `d${index}`,
    hostnames: [`d${index}.example.com`],
    origin: { name: 'main', url: 'http://127.0.0.1:1' },
    rules: [],
    linger: 600,
    tls: {
      certificates: [{ secret: certificateSecretName(`bench/${index}`), digest }],
      redirect: false,
      minVersion: '1.2' as const,
    },
  }));
  const before = process.memoryUsage().rss;
  const certificates = new Certificates(silentLog);
  const taken = timed(() => certificates.take(secrets));
  const plan = servePlan({ epoch: 1, seq: 1 }, domains, []);
  const ticketKey = Buffer.alloc(48, 1).toString('base64');
  const servers = createTlsServers(certificates, { ticketKey, onMade: () => {} });
  const use = (name: string) => {
    const domain = plan.byHost.get(name);
    return domain && servers.of(domain);
  };
  const first = timed(() => {
    for (const { hostnames } of domains) use(hostnames[0] ?? '');
  });
  const after = process.memoryUsage().rss;
  const lookUp = timed(() => {
    for (let turn = 0; turn < 10_000; turn++) {
      const read = readClientHello(hello);
      if (read.kind === 'hello') use(`d${count - 1 - (turn % 1_000)}.example.com`);
    }
  });
  const [name = ''] = [...secrets.keys()];
  secrets.set(name, `${value} `);
  const swap = timed(() => {
    certificates.take(secrets);
    use('d0.example.com');
  });
  return [
    `${count} certificates: ${((after - before) / 2 ** 20).toFixed(0)} MB once each was used, taken in ${taken.toFixed(0)} ms`,
    `first handshake of a domain: ${((first * 1_000) / count).toFixed(0)} us more than a later one`,
    `name read and found: ${((lookUp * 1_000) / 10_000).toFixed(1)} us`,
    `one swapped: ${swap.toFixed(1)} ms`,
  ];
}

function timed(run: () => unknown): number {
  const begin = performance.now();
  run();
  return performance.now() - begin;
}

/** What OpenSSL sends first. */
async function helloOf(servername: string): Promise<Buffer> {
  const server = createServer();
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  const client = connect({ host: '127.0.0.1', port, servername }).on('error', () => {});
  const bytes = await new Promise<Buffer>((resolve) =>
    server.once('connection', (socket) => socket.once('data', resolve)),
  );
  client.destroy();
  server.close();
  return bytes;
}
