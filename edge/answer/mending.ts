/**
 * What is stored and cannot be read any more is fetched again, for all who were reading it: from what another one has had
 * stored in its place meanwhile, from the fetch that is under way, or by a new one.
 */
import type { ByteSource } from '../cache/byte-source.ts';
import type { Fills } from '../cache/fill.ts';
import { joinIdOf } from '../cache/select.ts';
import type { Store } from '../cache/store.ts';
import type { StoredObject } from '../cache/stored-object.ts';
import type { Exchange } from '../exchange.ts';
import { type FillSources, fillRequest } from './fill-request.ts';
import { mendedSource } from './mended-source.ts';

export interface MendingParts extends FillSources {
  store: Store;
  fills: Fills;
}

/** The body of a stored object, which goes on when its file does not. Throws CorruptBody where it cannot be begun. */
export type Mending = (exchange: Exchange, object: StoredObject) => Promise<Buffer | ByteSource>;

export function createMending(parts: MendingParts): Mending {
  const { store, fills } = parts;

  return async function bodyOf(exchange, object) {
    const body = await store.body(object);
    return Buffer.isBuffer(body) ? body : mendedSource(object, body, () => anew(exchange, object));
  };

  async function anew(exchange: Exchange, object: StoredObject): Promise<Buffer | ByteSource | undefined> {
    const { key } = object;
    const variants = store.lookup(key);
    const again = variants.find(
      ({ id, checksums }) => id !== object.id && sameSums(checksums, object.checksums),
    );
    if (again !== undefined) return await store.body(again);
    const joinId = joinIdOf(key.id, [...variants, object], exchange);
    const outcome = await (fills.find(joinId) ?? start(exchange, key, joinId)).outcome;
    if (outcome.kind === 'filling') return outcome.body.reader(0);
    if (outcome.kind === 'unshareable') outcome.response.body.abandon();
    return undefined;
  }

  function start(exchange: Exchange, key: StoredObject['key'], joinId: string) {
    // Who speaks for one client may not lead others.
    const joinable = !exchange.terms.authorized;
    const wanted = { key, joinId, joinable, stale: undefined, usableOnError: false, admitted: true };
    return fills.start(fillRequest(parts, exchange, wanted));
  }
}

function sameSums(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((sum, index) => sum === b[index]);
}
