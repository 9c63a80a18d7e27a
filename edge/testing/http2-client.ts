/** A client that speaks HTTP/2: a session, and requests on it with their whole answers. */
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientSessionOptions,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';

export interface StreamReply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Interim answers. */
  interim: number[];
}

export async function openHttp2(
  port: number,
  { ca, ...options }: { ca: string } & ClientSessionOptions & SecureClientSessionOptions,
): Promise<ClientHttp2Session> {
  const session = connect('https://video.example.com', {
    host: '127.0.0.1',
    port,
    ca,
    servername: 'video.example.com',
    ...options,
  } as SecureClientSessionOptions);
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

/** Rejects when the stream is reset. */
export async function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<StreamReply> {
  const stream = session.request(
    { ':authority': 'video.example.com', ...headers },
    { endStream: body === undefined },
  );
  const interim: number[] = [];
  stream.on('headers', ({ ':status': status }) => interim.push(Number(status)));
  if (body !== undefined) stream.end(body);
  const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }];
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return {
    status: Number(answer[':status']),
    headers: answer,
    text: Buffer.concat(chunks).toString('latin1'),
    interim,
  };
}
