/**
 * A resolver as a customer's clients and ACME servers have one: it asks Weir's own name server for Weir's zone, has the
 * customer's zones itself, and follows a CNAME from one into the other. Messages by dns-packet.
 */
import { createSocket, type Socket } from 'node:dgram';
import { createServer } from 'node:net';
import dnsPacket, { type Answer, type Packet } from 'dns-packet';
import { listen } from '../../lib/listen.ts';
import { freePort } from '../../lib/testing/free-port.ts';

export interface TestResolver {
  /** `127.0.0.1:5353` */
  address: string;
  /** Of customers, by name. */
  cnames: Map<string, string>;
  /** What it says of TXT, whatever is true. */
  lie: string | undefined;
  stop(): void;
}

/** `port`: of the name server for `zone`. */
export async function startResolver(zone: string, port: () => number): Promise<TestResolver> {
  const socket = createSocket('udp4');
  // pebble asks by TCP alone: the two bytes before a message are its length (RFC 1035 4.2.2).
  const server = createServer((connection) => {
    connection.on('error', () => connection.destroy());
    connection.once('data', (bytes: Buffer) => {
      void answersTo(bytes.subarray(2)).then((answer) => {
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        connection.end(Buffer.concat([length, answer]));
      });
    });
  });
  const resolver: TestResolver = {
    address: '',
    cnames: new Map(),
    lie: undefined,
    stop() {
      socket.close();
      server.close();
    },
  };
  socket.on('message', (bytes, { port: from, address }) => {
    void answersTo(bytes).then((answer) => socket.send(answer, from, address));
  });
  async function answersTo(bytes: Buffer): Promise<Buffer> {
    const query = dnsPacket.decode(bytes);
    const [question] = query.questions ?? [];
    const answers = question ? await resolved(question.name.toLowerCase(), question.type) : [];
    return dnsPacket.encode({
      type: 'response',
      id: query.id ?? 0,
      flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE,
      questions: query.questions ?? [],
      answers,
    });
  }
  async function resolved(name: string, type: string): Promise<Answer[]> {
    const target = resolver.cnames.get(name);
    if (target !== undefined) {
      const alias: Answer = { name, type: 'CNAME', ttl: 1, data: target };
      return type === 'CNAME' ? [alias] : [alias, ...(await resolved(target, type))];
    }
    if (type === 'TXT' && resolver.lie !== undefined) return [{ name, type, ttl: 1, data: resolver.lie }];
    return name === zone || name.endsWith(`.${zone}`) ? askedAt(port(), name, type) : [];
  }
  const free = await freePort();
  await listen(server, { host: '127.0.0.1', port: free });
  await new Promise<void>((resolve) => socket.bind(free, '127.0.0.1', resolve));
  resolver.address = `127.0.0.1:${free}`;
  return resolver;
}

async function askedAt(port: number, name: string, type: string): Promise<Answer[]> {
  const socket = createSocket('udp4');
  try {
    // dns-packet's types know fewer types than people ask for.
    const query = { type: 'query', id: 1, questions: [{ name, type }] } as unknown as Packet;
    const answer = answerOf(socket);
    socket.send(dnsPacket.encode(query), port, '127.0.0.1');
    return dnsPacket.decode(await answer).answers ?? [];
  } finally {
    socket.close();
  }
}

const answerOf = (socket: Socket) =>
  new Promise<Buffer>((resolve, reject) => {
    socket.once('message', resolve);
    socket.once('error', reject);
  });
