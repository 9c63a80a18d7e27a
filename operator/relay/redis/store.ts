/**
 * What lies in Redis, and nothing else does:
 *
 *     {weir}:1:leader                  "epoch run" of the leader: whoever is not it writes nothing down
 *     {weir}:1:up                      stream, from the replicas
 *     {weir}:1:down                    stream, from the leader
 *     {weir}:1:plan:edge, …:plan:dns-server, …:table, …:policy      the newest, compressed
 *
 * All keys lie in one slot of a cluster, since scripts touch two of them. Streams are trimmed by age and by length, and
 * every key expires when nobody leads: what lies here is on its way and nowhere else's memory.
 */
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { RedisClient } from './clients.ts';
import { RELAY_VERSION } from './messages.ts';

/** A reader that is further behind than this starts over. */
const KEEP_MS = 30_000;
const MAX_ENTRIES = 10_000;
const EXPIRE_MS = 3_600_000;
/** Less than the silence after which a connection is given up. */
const BLOCK_MS = 2_000;
const READ_AT_ONCE = 500;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** KEYS: leader. ARGV: epoch, run, expiry. A leader of a higher epoch, or another of the same one, is not put aside. */
const CLAIM = `
local epoch, run = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (.*)$')
if epoch and (tonumber(epoch) > tonumber(ARGV[1]) or (tonumber(epoch) == tonumber(ARGV[1]) and run ~= ARGV[2])) then
  return epoch
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
return false
`;

/** KEYS: stream, leader. ARGV: who leads or nothing, keep, expiry, length, then the entries. */
const APPEND = `
if ARGV[1] ~= '' then
  if redis.call('GET', KEYS[2]) ~= ARGV[1] then return redis.error_reply('NOTLEADER') end
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
for entry = 5, #ARGV do redis.call('XADD', KEYS[1], '*', 'm', ARGV[entry]) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f', now - ARGV[2]))
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return redis.status_reply('OK')
`;

/** KEYS: key, leader. ARGV: who leads, expiry, value. */
const PUT = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return redis.error_reply('NOTLEADER') end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
return redis.status_reply('OK')
`;

export type StreamName = 'up' | 'down';
export type ValueName = 'plan:edge' | 'plan:dns-server' | 'table' | 'policy';

/** A leader, as Redis knows it. */
export interface Reign {
  epoch: number;
  run: string;
}

export interface Entry {
  id: string;
  message: unknown;
}

export class RelayStore {
  readonly #commands: RedisClient;
  readonly #reader: RedisClient;
  readonly #prefix: string;

  constructor(commands: RedisClient, reader: RedisClient, prefix: string) {
    this.#commands = commands;
    this.#reader = reader;
    this.#prefix = `{${prefix}}:${RELAY_VERSION}:`;
  }

  /** The higher epoch that somebody leads with, if there is one; else this one leads. */
  async claim({ epoch, run }: Reign): Promise<number | undefined> {
    const higher = await this.#commands.eval(CLAIM, 1, this.#key('leader'), epoch, run, EXPIRE_MS);
    return higher === null ? undefined : Number(higher);
  }

  /** In this order, all or none. A leader's are refused when another leads, or nobody is known to. */
  async append(stream: StreamName, messages: readonly unknown[], reign?: Reign): Promise<void> {
    const who = reign ? reignText(reign) : '';
    const entries = messages.map((message) => JSON.stringify(message));
    const keys = [this.#key(stream), this.#key('leader')];
    await this.#commands.eval(APPEND, 2, ...keys, who, KEEP_MS, EXPIRE_MS, MAX_ENTRIES, ...entries);
  }

  async put(name: ValueName, value: unknown, reign: Reign): Promise<void> {
    const bytes = await compress(JSON.stringify(value));
    await this.#commands.eval(
      PUT,
      2,
      this.#key(name),
      this.#key('leader'),
      reignText(reign),
      EXPIRE_MS,
      bytes,
    );
  }

  async get(name: ValueName): Promise<unknown> {
    const bytes = await this.#commands.getBuffer(this.#key(name));
    return bytes === null ? undefined : JSON.parse((await decompress(bytes)).toString());
  }

  /** The newest entry's id; one that comes before all when there is none. */
  async last(stream: StreamName): Promise<string> {
    const [newest] = await this.#commands.xrevrange(this.#key(stream), '+', '-', 'COUNT', 1);
    return newest?.[0] ?? START;
  }

  /** What comes after an entry; with `wait` as soon as there is something, and nothing after a while. */
  async read(stream: StreamName, after: string, wait: boolean): Promise<Entry[]> {
    const [key, reader] = [this.#key(stream), this.#reader];
    const answer = wait
      ? await reader.xread('COUNT', READ_AT_ONCE, 'BLOCK', BLOCK_MS, 'STREAMS', key, after)
      : await reader.xread('COUNT', READ_AT_ONCE, 'STREAMS', key, after);
    const [[, entries] = []] = answer ?? [];
    return (entries ?? []).map(([id, [, text = '']]) => ({ id, message: JSON.parse(text) }));
  }

  /** Takes away what comes before an entry, for nobody reads it any more. */
  async forget(stream: StreamName, before: string): Promise<void> {
    await this.#commands.xtrim(this.#key(stream), 'MINID', before);
  }

  close(): void {
    this.#commands.disconnect();
    this.#reader.disconnect();
  }

  #key(name: string): string {
    return `${this.#prefix}${name}`;
  }
}

/** The id before all others. */
export const START = '0-0';

const reignText = ({ epoch, run }: Reign) => `${epoch} ${run}`;

/** Whether Redis answered, and said that this one does not lead. */
export const isNotLeader = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('NOTLEADER');
