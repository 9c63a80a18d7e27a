/**
 * What only the leader runs:
 *
 *     stores ──> memory (accepted forms, statuses, epoch + 1)
 *     source ──loaded──> reconciler: admit ─> compile ─> publish ─> decide ─> status ──> stores
 *     switchboard ──connect, disconnect, report──> reconciler ──plans, tables, commands──> switchboard
 *     clock ──tick──> reconciler
 *     Kubernetes nodes, edge pods ──registration──> EdgeNodes, which the source gives     (a Kubernetes API only)
 *     ACME servers <── office: orders, renewals ──challenges, certificates──> reconciler, vault
 *     zones' keys, cookies' secret among the backing's secrets <── keepKeys <── plan, clock
 */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { packageVersion } from '../lib/package-version.ts';
import { type Dns, systemDns } from './acme/dns.ts';
import { AcmeOffice } from './acme/office.ts';
import { PACES, type Paces } from './acme/renewal.ts';
import type { Backing } from './backing.ts';
import { keepKeys } from './dnssec/keep-keys.ts';
import { askForDs, parentResolver } from './dnssec/parent-ds.ts';
import { zoneKeyStore } from './dnssec/zone-key-store.ts';
import { agentEvents, views } from './publish/agent-events.ts';
import type { LoadBook } from './publish/load-book.ts';
import type { UsageBook } from './publish/usage-book.ts';
import { notReadyReason, Reconciler } from './reconcile.ts';
import { Switchboard } from './relay/switchboard.ts';
import { beforeReading, type Post } from './stand-by.ts';
import { policyIn, policyOf, type ToldPolicy } from './trust/policy.ts';

/** Deadlines, retries and times to live are looked at this often. */
const TICK_MS = 1_000;
/** What is not written within this when the operator stops is the next one's to write. */
const WRITE_OUT_MS = 3_000;

interface LeadOptions {
  backing: Backing;
  /** Takes what edges tell of their load, for people. */
  loads: LoadBook;
  /** Takes what domains got. */
  usage: UsageBook;
  /** Agents can be let in: the manifests have been read. */
  onOpen: (switchboard: Switchboard, reconciler: Reconciler) => void;
  /** After the first reading of them, and where it is another: whom to let in, with valid settings. */
  onPolicy: (policy: ToldPolicy | undefined) => void;
  acme?: AcmeOptions | undefined;
  clock: Clock;
  log: Log;
}

/** For tests: where published name servers are asked, and how soon what failed is tried again. */
export interface AcmeOptions {
  nameServerPort?: number;
  paces?: Paces;
  dns?: Partial<Dns>;
}

export interface Leader extends Post {
  reconciler: Reconciler;
  stop(): Promise<void>;
}

export async function lead({
  backing,
  loads,
  usage,
  onOpen,
  onPolicy,
  acme = {},
  clock,
  log,
}: LeadOptions): Promise<Leader> {
  const reconciler = await Reconciler.open({
    build: packageVersion(),
    stores: backing.stores,
    outbox: {
      plan: (role, plan) => switchboard.plan(role, plan),
      table: (table) => switchboard.table(table),
      command: (node, command) => switchboard.command({ role: 'edge', node }, command),
      dismiss: (node) => switchboard.end({ role: 'edge', node }),
      expire: (ref, uid) => backing.expire(ref, uid),
    },
    clock,
    log,
  });
  const usageTaken = (node: string, ids: string[]) =>
    switchboard.command({ role: 'edge', node }, { type: 'usageTaken', uid: `usage-${ids[0]}`, ids });
  const switchboard: Switchboard = new Switchboard(
    agentEvents(reconciler, { loads, usage, usageTaken }),
    log,
  );
  let open = false;
  let policy: ToldPolicy | undefined;
  backing.source.start((loaded) => {
    void reconciler.loaded(loaded).then(() => {
      const [wasOpen, before] = [open, policy];
      policy = policyIn(reconciler.admission());
      if (!wasOpen) onOpen(switchboard, reconciler);
      open = true;
      if (!wasOpen || policy !== before) onPolicy(policy);
    });
  });
  const plan = () => reconciler.routing()?.published.plan;
  const stopLeading = backing.lead?.({ config: () => reconciler.admission()?.config, plan });
  const stopKeys = keepKeys({
    store: zoneKeyStore(backing.secrets),
    plan,
    askForDs: (zone) => askForDs(zone, parentResolver(reconciler.admission()?.config?.dnssec.resolver)),
    clock,
    log,
  });
  const office = new AcmeOffice({
    config: () => reconciler.admission()?.config,
    certificates: () => reconciler.admission()?.snapshot.certificates ?? [],
    domains: () => reconciler.admission()?.snapshot.domains ?? [],
    secretEntry: (certificate, name, entry) => reconciler.secretEntry(certificate, name, entry),
    book: reconciler.certificates,
    vault: backing.stores.vault,
    writeCopy: backing.writeCopy,
    reload: () => reconciler.reload(),
    isEverywhere: (role) => reconciler.isEverywhere(role),
    dns: {
      ...systemDns(() => reconciler.admission()?.config?.dnssec.resolver, acme.nameServerPort),
      ...acme.dns,
    },
    paces: acme.paces ?? PACES,
    clock,
    log,
  });
  const stopTicking = clock.every(TICK_MS, () => {
    reconciler.event({ type: 'tick' });
    office.tick().catch((error: unknown) => log.error({ err: error }, 'certificates are not looked at'));
  });

  return {
    reconciler,
    views: views(reconciler),
    policy() {
      if (policy) return policyOf(policy);
      throw beforeReading();
    },
    notReady: () => notReadyReason(reconciler),
    async stop() {
      stopTicking();
      await office.stop();
      await stopKeys();
      await stopLeading?.();
      await backing.source.stop();
      await Promise.race([reconciler.idle(), pause(clock, WRITE_OUT_MS)]);
      reconciler.giveUp();
    },
  };
}

const pause = (clock: Clock, ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));
