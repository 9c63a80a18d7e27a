/**
 * UDP on one address in batches: a socket with SO_REUSEPORT and a thread for each worker. The threads answer what is
 * prepared; the rest comes here, to the ordinary path, and is answered by the same socket.
 */
import { Worker } from 'node:worker_threads';
import { codeFile } from '../../lib/code-files.ts';
import { formatListenAddress, type ListenAddress } from '../../lib/listen-address.ts';
import { type Log, silentLog } from '../../lib/log.ts';
import type { Follower, PreparedAnswers } from '../fast/prepared-answers.ts';
import { parseIp } from '../geo/ip-address.ts';
import type { Limits } from '../rate-limit/gate.ts';
import { ADDRESS, BatchMemory, type BatchSocket, NAME_BYTES, writeSocketAddress } from './batch-memory.ts';
import {
  type Ask,
  type BatchJob,
  type FromBatch,
  newShared,
  SHARED,
  type ToBatch,
} from './batch-messages.ts';
import type { Handler } from './handler.ts';
import type { Libc, Mapped } from './libc.ts';
import { listenUdp, RECEIVE_BUFFER_BYTES, type UdpListener } from './udp.ts';

export interface BatchOptions {
  libc: Libc;
  /** Threads for each address. */
  workers: number;
  prepared: PreparedAnswers;
  limits: () => Limits | undefined;
  /** So many queries were dropped, since the ordinary path was behind. */
  onShed?: (queries: number) => void;
}

const AF = { 4: 2, 6: 10 } as const;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const SO_RCVTIMEO = 20;
const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IP_PKTINFO = 8;
const IPV6_RECVPKTINFO = 49;
const IP_MTU_DISCOVER = 10;
const IPV6_MTU_DISCOVER = 23;
/**
 * No fragments, which can be forged, and no belief in ICMP messages on the path's MTU, which can be forged, too: answers
 * are small enough for nearly all paths, and TCP is there for the others (RFC 9715 3.1).
 */
const PMTUDISC_PROBE = 3;

/** A thread that waits for packets looks for mail so often: how long a change may take where nobody asks. */
const WAIT_MICROSECONDS = 20_000;
/** Before a thread that failed is started again. */
const RESTART_MS = 1_000;

export async function listenBatch(
  address: ListenAddress,
  handle: Handler,
  log: Log,
  options: BatchOptions,
): Promise<UdpListener> {
  // SO_REUSEPORT would let two servers share a port unnoticed: bound without it, a port that is taken is told.
  const claim = await listenUdp(address, () => undefined, silentLog);
  await claim.stop();
  const { bound } = claim;
  const socket: BatchSocket = socketOf(bound);
  const memory = options.libc.map(NAME_BYTES);
  const answers = new BatchMemory(options.libc, socket);
  const sockets: number[] = [];
  const threads: BatchThread[] = [];
  const stop = async () => {
    await Promise.all(threads.map((thread) => thread.stop()));
    for (const fd of sockets) options.libc.close(fd);
  };
  try {
    for (let index = 0; index < options.workers; index++) sockets.push(open(options.libc, bound, memory));
    threads.push(...sockets.map((fd) => new BatchThread(fd, socket, answers, handle, log, options)));
    await Promise.all(threads.map((thread) => thread.started));
  } catch (error) {
    await stop();
    throw error;
  }
  return { bound, stop };
}

function socketOf({ host }: ListenAddress): BatchSocket {
  const { version = 4, bytes } = parseIp(host) ?? {};
  return { version, wildcard: bytes?.every((byte) => byte === 0) ?? false };
}

function open(libc: Libc, address: ListenAddress, memory: Mapped): number {
  const ip = parseIp(address.host);
  if (ip === undefined) throw new Error(`${address.host} is no IP address`);
  const fd = libc.socket(AF[ip.version], SOCK_DGRAM_CLOEXEC, 0);
  const check = (result: number, what: string) => {
    if (result >= 0) return;
    const { host, port } = address;
    const error = new Error(`${what} on ${formatListenAddress({ host, port })}: errno ${libc.errno()}`);
    if (fd >= 0) libc.close(fd);
    throw error;
  };
  check(fd, 'socket');
  const option = (level: number, name: number, value: number, microseconds = 0) => {
    // A struct timeval is the number and the microseconds, each in 64 bits; other options read the lower 32.
    memory.view.setBigInt64(0, BigInt(value), true);
    memory.view.setBigInt64(8, BigInt(microseconds), true);
    check(libc.setsockopt(fd, level, name, memory.at, name === SO_RCVTIMEO ? 16 : 4), `setsockopt ${name}`);
  };
  option(SOL_SOCKET, SO_REUSEPORT, 1);
  option(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
  option(SOL_SOCKET, SO_RCVTIMEO, 0, WAIT_MICROSECONDS);
  if (ip.version === 4) option(IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE);
  else {
    option(IPPROTO_IPV6, IPV6_V6ONLY, 1);
    option(IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE);
  }
  // With one socket for all addresses: to answer from the one that was asked, or resolvers take it for a forgery.
  if (socketOf(address).wildcard && ip.version === 4) option(IPPROTO_IP, IP_PKTINFO, 1);
  else if (socketOf(address).wildcard) option(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  memory.bytes.fill(0, 0, NAME_BYTES);
  check(libc.bind(fd, memory.at, writeSocketAddress(memory.view, ip.bytes, address.port)), 'bind');
  return fd;
}

class BatchThread {
  readonly started: Promise<void>;
  readonly #fd: number;
  readonly #socket: BatchSocket;
  /** Where answers stand that are made here. */
  readonly #answers: BatchMemory;
  readonly #handle: Handler;
  readonly #log: Log;
  readonly #options: BatchOptions;
  #worker: Worker | undefined;
  #shared = newShared();
  #unfollow = () => {};
  /** Counters of tables that the thread may still count in, oldest first; the last are those in force. */
  #meters: (() => void)[] = [];
  #stopping = false;

  constructor(
    fd: number,
    socket: BatchSocket,
    answers: BatchMemory,
    handle: Handler,
    log: Log,
    options: BatchOptions,
  ) {
    this.#fd = fd;
    this.#socket = socket;
    this.#answers = answers;
    this.#handle = handle;
    this.#log = log;
    this.#options = options;
    this.started = this.#start();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    this.#post({ kind: 'stop' });
    await exited;
  }

  #start(): Promise<void> {
    this.#shared = newShared();
    const job: BatchJob = { fd: this.#fd, socket: this.#socket, shared: this.#shared };
    const worker = new Worker(codeFile('dns-server/listen/batch-worker'), { workerData: job });
    this.#worker = worker;
    return new Promise((resolve, reject) => {
      worker.once('message', () => {
        this.#unfollow = this.#options.prepared.follow(this.#follower());
        worker.on('message', (message: FromBatch) => this.#take(message));
        resolve();
      });
      worker.once('error', (error) => {
        this.#log.error({ err: error }, 'a thread that answers DNS failed');
        reject(error);
      });
      worker.once('exit', () => this.#ended(reject));
    });
  }

  #ended(reject: (error: Error) => void): void {
    this.#unfollow();
    for (const detach of this.#meters.splice(0)) detach();
    this.#worker = undefined;
    reject(new Error('the thread ended'));
    if (this.#stopping) return;
    setTimeout(() => {
      if (!this.#stopping) this.#start().catch(() => {});
    }, RESTART_MS).unref();
  }

  #follower(): Follower {
    return {
      tables: (tables, slots) => {
        const metered = tables && this.#options.prepared.metered(tables);
        this.#meters.push(metered?.detach ?? (() => {}));
        this.#post({ kind: 'tables', tables: metered?.tables, slots, limits: this.#options.limits() });
      },
      slot: (key, slot) => this.#post({ kind: 'slot', key, slot }),
      signature: (key, signature) => this.#post({ kind: 'signature', key, signature }),
      reset: (slots) => this.#post({ kind: 'reset', slots }),
      // Copied: what is posted of a pooled Buffer is the whole pool.
      cookieSecret: (secret) => this.#post({ kind: 'cookieSecret', secret: Uint8Array.from(secret) }),
    };
  }

  #post(message: ToBatch): void {
    this.#worker?.postMessage(message);
    Atomics.add(this.#shared, SHARED.MAIL, 1);
  }

  #take(message: FromBatch): void {
    if (message.kind === 'asks') this.#answerAll(message.asks);
    // It counts in the newest of those that it knows; older ones are read for the last time.
    else while (this.#meters.length > 1) this.#meters.shift()?.();
  }

  #answerAll(asks: readonly Ask[]): void {
    for (const ask of asks) this.#answer(ask);
    Atomics.sub(this.#shared, SHARED.WAITING, asks.length);
    const shed = Atomics.exchange(this.#shared, SHARED.SHED, 0);
    if (shed > 0) this.#options.onShed?.(shed);
  }

  #answer({ sender, message }: Ask): void {
    const { version } = this.#socket;
    const [offset, length] = ADDRESS[version];
    const bytes = sender.name.subarray(offset, offset + length);
    const query = Buffer.from(message.buffer, message.byteOffset, message.length);
    const response = this.#handle(query, { version, bytes }, 'udp');
    if (response === undefined || this.#stopping) return;
    this.#answers.put(0, sender, response);
    // A client that is gone is no fault of ours.
    this.#options.libc.sendmmsg(this.#fd, this.#answers.headers, 1, 0);
  }
}
