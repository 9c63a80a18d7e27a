/** Writes an answer to a client's socket. A body that breaks off ends in a broken connection, never in a short answer. */
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Answer, AnswerBody } from '../answer/answer.ts';
import type { Blocks } from '../cache/blocks.ts';
import type { Headers } from '../headers.ts';
import { abandon } from '../origin/abandon.ts';
import { FileFault, plainDescriptor, type SendFile } from './send-file.ts';

/** Where an answer goes: a response of HTTP/1, or a stream of HTTP/2. */
export interface Outgoing {
  /** Takes the body; to destroy it is to break the answer off. */
  stream: Writable;
  /** Before the body; `isAll` where none follows. False where none may: the body there is stays here. */
  head(status: number, headers: Headers, isAll: boolean): boolean;
  /** The head goes out now, and does not wait for the first byte of the body. */
  flushHead: () => void;
  /** Where the body's bytes go through as they are. */
  socket: Socket | undefined;
  /** Bytes left past the stream. */
  onSent: (bytes: number) => void;
}

export interface SendOptions {
  /** Counts the bytes of the body. */
  onBytes: (bytes: number) => void;
  sendFile: SendFile | undefined;
  blocks: Blocks;
}

/** Resolves when the answer is out or the client has gone. */
export async function send(outgoing: Outgoing, answer: Answer, options: SendOptions): Promise<void> {
  const { body, status, headers } = answer;
  const { onBytes } = options;
  const { stream } = outgoing;
  try {
    // One that has gone takes no head any more.
    if (stream.destroyed) return;
    if (!outgoing.head(status, headers, body.kind === 'none') || body.kind === 'none') stream.end();
    else if (body.kind === 'bytes') {
      onBytes(body.bytes.length);
      stream.end(body.bytes);
    } else if (body.kind === 'stream') await relay(outgoing, body.stream, onBytes);
    else await sendSource(outgoing, body, options);
  } catch (error) {
    // The client's own going away is no event.
    const hasGone = stream.destroyed || isGone(error);
    stream.destroy();
    if (!hasGone) throw error;
  } finally {
    if (body.kind === 'source') await body.source.close();
    else if (body.kind === 'stream') abandon(body.stream);
  }
}

async function relay(
  outgoing: Outgoing,
  body: Extract<AnswerBody, { kind: 'stream' }>['stream'],
  onBytes: (bytes: number) => void,
): Promise<void> {
  // The head goes out before the first byte of the body: an origin that streams events may take its time with that.
  outgoing.flushHead();
  body.on('data', (chunk: Buffer) => onBytes(chunk.length));
  await pipeline(body, outgoing.stream);
}

type SourceBody = Extract<AnswerBody, { kind: 'source' }>;

/** By parts of files as far as there are such and the connection carries bytes as they are; the rest is read and written. */
async function sendSource(outgoing: Outgoing, body: SourceBody, options: SendOptions): Promise<void> {
  const { stream } = outgoing;
  const { source, first, last } = body;
  const { onBytes, blocks } = options;
  const room = blocks.room();
  const end = last === undefined ? Number.POSITIVE_INFINITY : last + 1;
  const gone = goneFrom(stream);
  for (let at = first; at < end; ) {
    at += await sendPart(outgoing, { ...body, first: at }, options);
    if (at === end) break;
    const chunk = (await source.read(at, room)).subarray(0, end - at);
    if (chunk.length === 0) {
      if (last === undefined) break;
      throw new Error(`the body ended after ${at} of ${end} bytes`);
    }
    // The buffer is used again, so it must have left for the kernel first.
    await Promise.race([written(stream, chunk), gone]);
    if (stream.destroyed) return;
    onBytes(chunk.length);
    at += chunk.length;
  }
  // Not where it broke off: the socket may hold bytes of it still.
  room.giveBack();
  stream.end();
}

/** How much of it was sent as part of a file. */
async function sendPart(
  { socket, flushHead, onSent }: Outgoing,
  { source, first, last }: SourceBody,
  { onBytes, sendFile }: SendOptions,
): Promise<number> {
  if (sendFile === undefined || last === undefined || socket === undefined || plainDescriptor(socket) < 0) {
    return 0;
  }
  const part = await source.part?.(first, last);
  if (part === undefined) return 0;
  flushHead();
  return await new Promise((resolve, reject) => {
    sendFile(socket, { parts: [part], onSent }, (error, bytes) => {
      onBytes(bytes);
      // A file that fails is read on, which finds out what is wrong with it and may know where the rest is.
      if (error && !(error instanceof FileFault)) reject(error);
      else resolve(bytes);
    });
  });
}

function written(stream: Writable, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

function goneFrom(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) resolve();
    else stream.once('close', resolve);
  });
}

function isGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return [
    'ERR_STREAM_PREMATURE_CLOSE',
    'ERR_STREAM_DESTROYED',
    'ERR_STREAM_WRITE_AFTER_END',
    'ECONNRESET',
    'EPIPE',
    'ABORT_ERR',
  ].includes(String(code));
}
