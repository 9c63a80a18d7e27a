/**
 * A thread that answers UDP in batches: waits in recvmmsg, answers what is prepared, leaves the rest to the thread with
 * the plan, and sends all answers by one call. It never returns to its event loop, and takes its mail between batches.
 *
 *     recvmmsg ─> mail ─> each packet: prepared? ─> sendmmsg
 *                                      else ─────> the thread with the plan, which answers by the same socket
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { FastPath } from '../fast/fast-path.ts';
import { BY_DOMAIN, keepSignature } from '../fast/slot.ts';
import type { IpAddress } from '../geo/ip-address.ts';
import { createGate, type Gate, OPEN_GATE } from '../rate-limit/gate.ts';
import { ADDRESS, BATCH, BatchMemory } from './batch-memory.ts';
import { type Ask, type BatchJob, type FromBatch, SHARED, type ToBatch } from './batch-messages.ts';
import { type Libc, loadLibc } from './libc.ts';

/** Queries for the ordinary path: as many as it answers in the time that a client waits before it asks again. */
const MAX_WAITING = 8_192;
/** Blocks until there is one packet, then takes what there is. */
const MSG_WAITFORONE = 0x10000;

class Batches {
  readonly #libc: Libc;
  readonly #job: BatchJob;
  readonly #post: (message: FromBatch) => void;
  readonly #received: BatchMemory;
  readonly #sent: BatchMemory;
  readonly #fast: FastPath;
  /** Of the query at hand. */
  readonly #source: IpAddress;
  readonly #sourceAt: number;
  #asks: Ask[] = [];
  #gate: Gate = OPEN_GATE;

  constructor(libc: Libc, job: BatchJob, post: (message: FromBatch) => void) {
    this.#libc = libc;
    this.#job = job;
    this.#post = post;
    const { version } = job.socket;
    const [sourceAt, length] = ADDRESS[version];
    this.#source = { version, bytes: new Uint8Array(length) };
    this.#sourceAt = sourceAt;
    this.#received = new BatchMemory(libc, job.socket);
    this.#sent = new BatchMemory(libc, job.socket, this.#received);
    this.#fast = new FastPath(this.#received);
  }

  run(takeMail: () => ToBatch | undefined): void {
    this.#post({ kind: 'using' });
    for (let seen = 0; ; ) {
      this.#received.clearControls();
      const count = this.#libc.recvmmsg(this.#job.fd, this.#received.headers, BATCH, MSG_WAITFORONE, 0n);
      const mail = Atomics.load(this.#job.shared, SHARED.MAIL);
      if (mail !== seen) {
        seen = mail;
        // Before the packets at hand are answered: what was told before they came is in force.
        for (let message = takeMail(); message; message = takeMail()) {
          if (message.kind === 'stop') return;
          this.#take(message);
        }
      }
      if (count > 0) this.#answer(count);
    }
  }

  #take(message: Exclude<ToBatch, { kind: 'stop' }>): void {
    switch (message.kind) {
      case 'tables':
        this.#fast.use(message.tables, message.slots);
        this.#gate = createGate(message.limits);
        this.#post({ kind: 'using' });
        break;
      case 'slot':
        this.#fast.slots.set(message.key, message.slot);
        break;
      case 'signature': {
        const slot = this.#fast.slots.get(message.key);
        if (slot && slot !== BY_DOMAIN) keepSignature(slot, message.signature);
        break;
      }
      case 'reset':
        this.#fast.use(this.#fast.tables, message.slots);
        break;
      case 'cookieSecret':
        this.#fast.useCookieSecret(Buffer.from(message.secret));
    }
  }

  #answer(count: number): void {
    const now = Date.now();
    // Answers stand where their queries stood: those that are left to others part them into runs.
    let run = 0;
    for (let index = 0; index < count; index++) {
      const length = this.#answerOne(index, now);
      this.#sent.setLength(index, length);
      if (length > 0) continue;
      this.#send(run, index);
      run = index + 1;
    }
    this.#send(run, count);
    if (this.#asks.length === 0) return;
    const { shared } = this.#job;
    // What waits for the other thread waits in memory: beyond a bound it is dropped, as the kernel drops what nobody reads.
    if (Atomics.load(shared, SHARED.WAITING) >= MAX_WAITING)
      Atomics.add(shared, SHARED.SHED, this.#asks.length);
    else {
      Atomics.add(shared, SHARED.WAITING, this.#asks.length);
      this.#post({ kind: 'asks', asks: this.#asks });
    }
    this.#asks = [];
  }

  /** Bytes of the answer; 0 when there is none to be sent from here. */
  #answerOne(index: number, now: number): number {
    const received = this.#received;
    received.freeInterface(index);
    const start = received.packetAt(index);
    const end = start + received.receivedLength(index);
    const length = this.#fast.answer(start, end, this.#readSource(index), now);
    if (length <= 0) {
      this.#asks.push({ sender: received.senderOf(index), message: received.bytes.slice(start, end) });
      return 0;
    }
    if (this.#gate === OPEN_GATE) {
      this.#fast.count();
      return length;
    }
    return this.#limited(now, length);
  }

  #limited(now: number, length: number): number {
    const { verdict, by } = this.#gate(this.#source, this.#fast.hasGoodCookie(), now);
    this.#fast.count(
      verdict === 'Answer'
        ? 'answered'
        : verdict === 'Drop'
          ? 'dropped'
          : by === 'client'
            ? 'clientTruncated'
            : 'truncated',
    );
    if (verdict === 'Drop') return 0;
    return verdict === 'Answer' ? length : this.#fast.truncate();
  }

  #readSource(index: number): Uint8Array {
    const { bytes } = this.#received;
    const { bytes: source } = this.#source;
    const from = this.#received.nameAt(index) + this.#sourceAt;
    for (let at = 0; at < source.length; at++) source[at] = bytes[from + at] ?? 0;
    return source;
  }

  /** An answer that can not be sent keeps those behind it from being sent: it is passed over. */
  #send(from: number, to: number): void {
    for (let at = from; at < to; ) {
      const sent = this.#libc.sendmmsg(this.#job.fd, this.#sent.headersAt(at), to - at, 0);
      at += Math.max(1, sent);
    }
  }
}

if (parentPort) {
  const port = parentPort;
  // Written by batch.ts, which alone starts this thread and posts to it.
  const job = workerData as BatchJob;
  const batches = new Batches(await loadLibc(), job, (message) => port.postMessage(message));
  batches.run(() => receiveMessageOnPort(port)?.message as ToBatch | undefined);
  port.close();
}
