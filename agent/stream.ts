/** One connection to the operator: opened, read until it ends. Reconnecting is the caller's. */
import type { Dispatcher } from 'undici';
import type { Revision } from '../contract/plans/revision.ts';
import {
  CONTRACT_VERSIONS,
  type Role,
  STREAM_PATH,
  type StreamMessage,
  streamMessage,
} from '../contract/stream/messages.ts';
import { readNdjson } from '../lib/ndjson.ts';
import { refusalOf } from './credential/request.ts';
import type { Whereabouts } from './whereabouts.ts';

interface StreamOptions {
  operator: Whereabouts;
  role: Role;
  node: string;
  held: Revision;
  /** Of the plan held; empty for none. */
  digest: string;
  /** The highest epoch met so far. */
  seen: number;
  /** The operator's run that published the plan held; empty for none. */
  run: string;
  /** Connections that show who we are. */
  dispatcher: Dispatcher;
  /** Digest of the CAs that we trust. */
  bundle: string | undefined;
  /** Digest of the secrets that we hold. */
  secrets: string;
  silenceMs: number;
  signal: AbortSignal;
}

/** Yields the operator's messages. Throws when it refuses, falls silent, or breaks the contract. */
export async function* openStream(options: StreamOptions): AsyncGenerator<StreamMessage> {
  const response = await options.operator.ask(STREAM_PATH, {
    query: {
      role: options.role,
      node: options.node,
      epoch: options.held.epoch,
      seq: options.held.seq,
      digest: options.digest,
      seen: options.seen,
      run: options.run,
      contract: CONTRACT_VERSIONS.join(','),
      secrets: options.secrets,
      ...(options.bundle !== undefined && { bundle: options.bundle }),
    },
    dispatcher: options.dispatcher,
    headersTimeout: 10_000,
    bodyTimeout: options.silenceMs,
    signal: options.signal,
  });
  if (response.statusCode !== 200) throw await refusalOf('the stream', response);
  let greeted = false;
  for await (const line of readNdjson(response.body)) {
    const message = streamMessage.parse(line);
    if (!greeted) checkHello(message);
    greeted = true;
    yield message;
  }
}

function checkHello(message: StreamMessage): void {
  if (message.type !== 'hello') throw new Error(`the stream began with ${message.type}, not with hello`);
  const spoken: readonly number[] = CONTRACT_VERSIONS;
  if (!spoken.includes(message.contract)) throw new Error(`the operator chose contract ${message.contract}`);
}
