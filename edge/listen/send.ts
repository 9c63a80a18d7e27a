/** Writes an answer to a client's socket. A body that breaks off ends in a broken connection, never in a short answer. */
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Answer, AnswerBody } from '../answer/answer.ts';
import type { Blocks } from '../cache/blocks.ts';
import { toRaw } from '../headers.ts';
import { abandon } from '../origin/abandon.ts';
import { plainDescriptor, type SendFile } from './send-file.ts';

export interface SendOptions {
  /** Counts the bytes of the body. */
  onBytes: (bytes: number) => void;
  sendFile: SendFile | undefined;
  blocks: Blocks;
  /** Bytes left past the socket. */
  onSent: (bytes: number) => void;
}

/** Resolves when the answer is out or the client has gone. */
export async function send(response: ServerResponse, answer: Answer, options: SendOptions): Promise<void> {
  const { body } = answer;
  const { onBytes } = options;
  try {
    response.writeHead(answer.status, toRaw(answer.headers));
    if (body.kind === 'none') response.end();
    else if (body.kind === 'bytes') {
      onBytes(body.bytes.length);
      response.end(body.bytes);
    } else if (body.kind === 'stream') await relay(response, body.stream, onBytes);
    else if (!(await sendPart(response, body, options))) await sendSource(response, body, options);
  } catch (error) {
    // The client's own going away is no event.
    const hasGone = response.destroyed || isGone(error);
    response.destroy();
    if (!hasGone) throw error;
  } finally {
    if (body.kind === 'source') await body.source.close();
    else if (body.kind === 'stream') abandon(body.stream);
  }
}

async function relay(
  response: ServerResponse,
  stream: Extract<AnswerBody, { kind: 'stream' }>['stream'],
  onBytes: (bytes: number) => void,
): Promise<void> {
  // The head goes out before the first byte of the body: an origin that streams events may take its time with that.
  response.flushHeaders();
  stream.on('data', (chunk: Buffer) => onBytes(chunk.length));
  await pipeline(stream, response);
}

type SourceBody = Extract<AnswerBody, { kind: 'source' }>;

/** As a part of a file, where it is one and the connection carries bytes as they are; says whether it was sent. */
async function sendPart(
  response: ServerResponse,
  { source, first, last }: SourceBody,
  { onBytes, sendFile, onSent }: SendOptions,
): Promise<boolean> {
  const { socket } = response;
  if (sendFile === undefined || last === undefined || socket === null || plainDescriptor(socket) < 0) {
    return false;
  }
  const fd = source.file?.(first, last);
  if (fd === undefined) return false;
  response.flushHeaders();
  await new Promise<void>((resolve, reject) => {
    sendFile(socket, { fd, first, length: last - first + 1, onSent }, (error, bytes) => {
      onBytes(bytes);
      if (error) reject(error);
      else resolve();
    });
  });
  response.end();
  return true;
}

async function sendSource(
  response: ServerResponse,
  { source, first, last }: SourceBody,
  { onBytes, blocks }: SendOptions,
): Promise<void> {
  const room = blocks.room();
  const end = last === undefined ? Number.POSITIVE_INFINITY : last + 1;
  const gone = goneFrom(response);
  for (let at = first; at < end; ) {
    const chunk = (await source.read(at, room)).subarray(0, end - at);
    if (chunk.length === 0) {
      if (last === undefined) break;
      throw new Error(`the body ended after ${at} of ${end} bytes`);
    }
    // The buffer is used again, so it must have left for the kernel first.
    await Promise.race([written(response, chunk), gone]);
    if (response.destroyed) return;
    onBytes(chunk.length);
    at += chunk.length;
  }
  // Not where it broke off: the socket may hold bytes of it still.
  room.giveBack();
  response.end();
}

function written(response: ServerResponse, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    response.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

function goneFrom(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) resolve();
    else response.once('close', resolve);
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
