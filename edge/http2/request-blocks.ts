/**
 * The header blocks of one connection, read, and said of each whether it is a plain request. The blocks of a client
 * repeat, so what one led to is remembered for as long as the client's table stays as it is.
 */
import type { Limits } from '../limits/limits.ts';
import {
  type Asked,
  isPlainHost,
  isPlainQuestion,
  isPlainTarget,
  type Question,
  readQuestion,
} from '../listen/plain-request.ts';
import { HpackReader } from './hpack.ts';

export interface PlainHead extends Asked {
  /** name, value, name, … */
  fields: readonly string[];
}

export interface RequestBlock {
  fields: readonly string[];
  /** Nothing where it is not for the fast path. */
  plain: PlainHead | undefined;
}

const KNOWN_BLOCKS = 200;
const MAX_KNOWN_BYTES = 512;
/** RFC 9110 5.5, without what is obsolete. */
const VALUE = /^(?:[!-~](?:[ -~]*[!-~])?)?$/;
const NAME = /^[a-z-]+$/;

export class RequestBlocks {
  readonly #limits: Limits;
  readonly #reader: HpackReader;
  readonly #known = new Map<string, RequestBlock>();

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#reader = new HpackReader(limits.headerBytes);
  }

  /** Nothing where the block is broken. */
  read(block: Buffer): RequestBlock | undefined {
    const text = block.length > MAX_KNOWN_BYTES ? undefined : block.toString('latin1');
    const known = text === undefined ? undefined : this.#known.get(text);
    if (known !== undefined) return known;
    const read = this.#reader.read(block);
    if (read === undefined) return undefined;
    const { fields, bytes, isRepeatable } = read;
    const plain = bytes > this.#limits.headerBytes ? undefined : plainHead(fields, this.#limits);
    const result = { fields, plain };
    if (!isRepeatable || this.#known.size >= KNOWN_BLOCKS) this.#known.clear();
    if (isRepeatable && text !== undefined) this.#known.set(text, result);
    return result;
  }
}

/** A strict subset of what node:http2 takes (RFC 9113 8.3.1), as plain-request.ts has it for HTTP/1. */
export function plainHead(
  fields: readonly string[],
  { headerCount, uriLength }: Pick<Limits, 'headerCount' | 'uriLength'>,
): PlainHead | undefined {
  if (fields.length / 2 > headerCount) return undefined;
  const pseudo = new Map<string, string>();
  const asked: Question = {};
  for (let index = 0; index < fields.length; index += 2) {
    const [name = '', value = ''] = [fields[index], fields[index + 1]];
    if (name.startsWith(':')) {
      if (pseudo.has(name) || index !== pseudo.size * 2) return undefined;
      pseudo.set(name, value);
    } else if (!NAME.test(name) || !VALUE.test(value) || !readQuestion(asked, name, value)) return undefined;
  }
  const [url = '', host = '', method] = [
    pseudo.get(':path'),
    pseudo.get(':authority'),
    pseudo.get(':method'),
  ];
  if (pseudo.size !== 4 || pseudo.get(':scheme') !== 'https') return undefined;
  if (url.length > uriLength || !isPlainTarget(url) || !isPlainHost(host)) return undefined;
  return isPlainQuestion(method, asked)
    ? { method, url, host, name: host + url, ...asked, fields }
    : undefined;
}
