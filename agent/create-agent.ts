/** The agent put together: files, stream, reports. See agent.ts for the picture. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EMPTY_TABLE, mergeTables, type NodeTable } from '../contract/plans/node-table.ts';
import { compareRevisions, formatRevision, NO_REVISION, type Revision } from '../contract/plans/revision.ts';
import type { Command, Report, Role, StreamMessage } from '../contract/stream/messages.ts';
import { readFileIfThere } from '../lib/atomic-file.ts';
import { backoff } from '../lib/backoff.ts';
import { latest } from '../lib/latest.ts';
import { type Agent, type AgentOptions, LocalFault, type PlanOf } from './agent.ts';
import { checkPublished, heldFiles } from './held-files.ts';
import { reporter } from './reporter.ts';
import { openStream } from './stream.ts';

/** Reconnects spread over up to 0.5 s at first and 10 s at most: an operator that restarts is found again quickly. */
const RECONNECT_BASE_MS = 500;
const RECONNECT_CAP_MS = 10_000;

export function createAgent<R extends Role>(options: AgentOptions<R>): Agent<R> {
  const { role, node, operator, folder, log } = options;
  const files = heldFiles(role, folder, log);
  const merge = options.merge ?? ((_held: PlanOf[R], newer: PlanOf[R]) => newer);
  const ending = new AbortController();
  const reports = reporter({ identity: { role, node }, operator, authorization, signal: ending.signal });
  let held: PlanOf[R] | undefined;
  let table: NodeTable = EMPTY_TABLE;
  let connected = false;
  let loop: Promise<void> = Promise.resolve();

  async function authorization(): Promise<string> {
    const token = await readFileIfThere(options.tokenFile);
    if (token === undefined) throw new Error(`no token in ${options.tokenFile} yet`);
    return `Bearer ${token.trim()}`;
  }

  const say = (report: Report) => {
    reports.add(report);
    // A flush that fails is tried again when the stream is opened again, which it then soon is.
    if (connected) reports.flush().catch((error: unknown) => log.warn({ err: error }, 'reports wait'));
  };

  const plans = latest(async (published: unknown) => {
    const revision = revisionOf(published);
    try {
      await take(published);
      say({ type: 'ack', revision: held?.revision ?? NO_REVISION });
    } catch (error) {
      const fault = isLocal(error) ? 'Local' : 'Invalid';
      log.error({ err: error, revision, fault }, 'plan refused; keeping the one held');
      say({ type: 'nack', revision, fault, message: messageOf(error).slice(0, 4_096) });
    }
  });

  /** Verify, prepare, write and fsync, commit. Throws before anything changed, or not at all. */
  async function take(published: unknown): Promise<void> {
    const newer = checkPublished(role, published);
    if (held && compareRevisions(newer.revision, held.revision) < 0) {
      const [offered, kept] = [newer.revision, held.revision].map(formatRevision);
      throw new LocalFault(`revision ${offered} is lower than ${kept}, which is held`);
    }
    const merged = held ? merge(held, newer) : newer;
    // Equal content only gets its new revision written down: nothing is prepared or swapped.
    const commit = held?.digest === newer.digest ? () => {} : await options.prepare(merged);
    await files.writePlan(merged).catch(toLocalFault);
    held = merged;
    commit();
    log.info(
      { revision: formatRevision(merged.revision), digest: merged.digest.slice(0, 12) },
      'plan in force',
    );
  }

  const tables = latest(async (newer: NodeTable) => {
    if (compareRevisions(newer.version, table.version) < 0) return;
    const merged = mergeTables(table, newer);
    try {
      await files.writeTable(merged);
    } catch (error) {
      log.error({ err: error }, 'node table is not written; it is in force until a restart');
    }
    table = merged;
    options.onTable?.(merged);
  });

  let commands: Promise<void> = Promise.resolve();
  async function run(command: Command): Promise<void> {
    if (!options.onCommand) return;
    try {
      const result = await options.onCommand(command);
      say({ type: 'done', uid: command.uid, ...result });
    } catch (error) {
      log.error({ err: error, uid: command.uid }, 'command failed');
      say({ type: 'failed', uid: command.uid, message: messageOf(error).slice(0, 1_024) });
    }
  }

  function receive(message: StreamMessage): void {
    switch (message.type) {
      case 'plan':
        plans.offer(message.published);
        break;
      case 'table':
        tables.offer(message.table);
        break;
      case 'command':
        commands = commands.then(() => run(message.command));
        break;
      case 'hello':
      case 'heartbeat':
        break;
    }
  }

  async function follow(): Promise<void> {
    const wait = backoff(RECONNECT_BASE_MS, RECONNECT_CAP_MS);
    while (!ending.signal.aborted) {
      try {
        await connectOnce(() => wait.reset());
        log.warn({ operator }, 'the operator ended the stream');
      } catch (error) {
        if (ending.signal.aborted) return;
        log.warn({ operator, reason: messageOf(error) }, 'no stream to the operator; serving what is held');
      }
      connected = false;
      await sleep(wait.next(), undefined, { signal: ending.signal }).catch(() => {});
    }
  }

  async function connectOnce(opened: () => void): Promise<void> {
    // What waited goes first, so that the operator does not send a command again whose ack lay here.
    await reports.flush();
    const stream = openStream({
      operator,
      role,
      node,
      held: held?.revision ?? NO_REVISION,
      seen: Math.max(held?.revision.epoch ?? 0, table.version.epoch),
      authorization: await authorization(),
      signal: ending.signal,
    });
    for await (const message of stream) {
      if (message.type === 'hello') {
        opened();
        connected = true;
        log.info({ operator, epoch: message.epoch }, 'connected to the operator');
      }
      receive(message);
    }
  }

  return {
    async load() {
      table = await files.readTable();
      options.onTable?.(table);
      const stored = await files.readPlan();
      if (!stored) return;
      try {
        const commit = await options.prepare(stored);
        held = stored;
        commit();
        log.info({ revision: formatRevision(stored.revision) }, 'plan from disk in force');
      } catch (error) {
        log.error({ err: error }, 'the plan on disk can not be put in force; waiting for the operator');
      }
    },
    connect() {
      loop = follow();
    },
    report: say,
    held: () => held,
    table: () => table,
    connected: () => connected,
    async stop() {
      ending.abort();
      await loop;
      await Promise.all([plans.idle(), tables.idle(), commands]);
    },
  };
}

function revisionOf(published: unknown): Revision {
  const revision = (published as { revision?: Revision } | null)?.revision;
  return { epoch: Number(revision?.epoch) || 0, seq: Number(revision?.seq) || 0 };
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** A full disk or no memory is this machine's fault wherever it shows. */
const isLocal = (error: unknown) =>
  error instanceof LocalFault || (error instanceof Error && 'syscall' in error && 'code' in error);

function toLocalFault(error: unknown): never {
  throw new LocalFault(messageOf(error), { cause: error });
}
