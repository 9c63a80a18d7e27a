/**
 * The plan in force and the domains that linger.
 *
 *     agent ──prepare──> ServedPlan, aside ──commit──> current()        a deadline ──> the domain's hosts and objects go
 *
 * Writes `lingering.json` in the edge's folder, before the plan that takes the domains away is in force.
 */
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalFault } from '../../agent/agent.ts';
import type { EdgeDomain, EdgePlan } from '../../contract/plans/edge-plan.ts';
import type { PublishedEdgePlan } from '../../contract/plans/published-plan.ts';
import { NO_REVISION, type Revision } from '../../contract/plans/revision.ts';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Workers } from '../workers/workers.ts';
import { type LingeringDomain, lingerAfter, lingeringDomains, longestLingerMs } from './lingering.ts';
import { type ServedPlan, servePlan } from './served-plan.ts';

export interface Plans {
  /** Reads the lingering domains of the last run. Before the first `prepare`. */
  load(): Promise<void>;
  prepare(published: PublishedEdgePlan): Promise<() => void | Promise<void>>;
  current(): ServedPlan | undefined;
  /** For how long what the domains served now need is kept once it is taken away. */
  lingerMs(): number;
  stop(): void;
}

export interface PlansOptions {
  /** The edge's own folder. */
  folder: string;
  clock: Clock;
  log: Log;
  /** Processes that serve the same. */
  workers?: Pick<Workers, 'prepare'> | undefined;
  /** After each change, with the domains that are served. */
  onChange: (plan: ServedPlan) => void;
}

/** What of a plan workers need too. */
type Answering = Pick<EdgePlan, 'challenges'> & { domains: readonly EdgeDomain[] };

export function createPlans({ folder, clock, log, workers, onChange }: PlansOptions): Plans {
  const file = join(folder, 'lingering.json');
  let served: ServedPlan | undefined;
  let domains: readonly EdgeDomain[] = [];
  let challenges: EdgePlan['challenges'];
  let lingering: readonly LingeringDomain[] = [];
  let cancelTimer = () => {};

  function putInForce(
    revision: Revision,
    next: readonly EdgeDomain[],
    rows: readonly LingeringDomain[],
  ): void {
    domains = next;
    lingering = rows;
    cancelTimer();
    const deadline = Math.min(...rows.map(({ until }) => until));
    // Node's timers hold 2^31 ms at most; a longer wait is taken up again when that has passed.
    if (rows.length > 0) {
      cancelTimer = clock.after(Math.min(Math.max(0, deadline - clock.now()), 2 ** 31 - 1), () =>
        expire(revision),
      );
    }
  }

  function expire(revision: Revision): void {
    const rows = lingering.filter(({ until }) => until > clock.now());
    const gone = lingering.filter((row) => !rows.includes(row));
    served = servePlan(
      revision,
      domains,
      rows.map(({ domain }) => domain),
      challenges,
    );
    putInForce(revision, domains, rows);
    for (const { domain } of gone) {
      log.info({ domain: `${domain.namespace}/${domain.name}` }, 'domain is no longer served');
    }
    // Rows that have expired are ignored when the file is read, so a failed write does no harm.
    writeRows(rows).catch((error: unknown) =>
      log.warn({ err: error, file }, 'lingering domains are not written'),
    );
    onChange(served);
    prepareElsewhere(revision, { domains, challenges }, rows)
      .then((commit) => commit?.())
      .catch((error: unknown) => log.warn({ err: error }, 'a worker serves a domain that is gone'));
  }

  async function prepareElsewhere(
    revision: Revision,
    { domains: next, challenges: answers }: Answering,
    rows: readonly LingeringDomain[],
  ): Promise<(() => Promise<void>) | undefined> {
    const kept = rows.map(({ domain }) => domain);
    return await workers?.prepare({ revision, domains: next, lingering: kept, challenges: answers });
  }

  const writeRows = (rows: readonly LingeringDomain[]) => writeFileAtomic(file, `${JSON.stringify(rows)}\n`);

  return {
    async load() {
      const text = await readFileIfThere(file);
      if (text === undefined) return;
      try {
        lingering = lingeringDomains.parse(JSON.parse(text));
      } catch (error) {
        const aside = `${file}.corrupt-${clock.now()}`;
        log.error({ err: error, file, aside }, 'the list of lingering domains is damaged; it is put aside');
        await rename(file, aside);
      }
    },

    async prepare({ revision, plan }) {
      const rows = lingerAfter({ before: domains, after: plan.domains }, lingering, clock.now());
      const next = servePlan(
        revision,
        plan.domains,
        rows.map(({ domain }) => domain),
        plan.challenges,
      );
      if (rows.length > 0 || lingering.length > 0) {
        await writeRows(rows).catch((error: unknown) => {
          throw new LocalFault(`cannot write ${file}`, { cause: error });
        });
      }
      const commitElsewhere = await prepareElsewhere(revision, plan, rows);
      return () => {
        served = next;
        challenges = plan.challenges;
        putInForce(revision ?? NO_REVISION, plan.domains, rows);
        onChange(next);
        return commitElsewhere?.();
      };
    },
    current: () => served,
    lingerMs: () => longestLingerMs([...domains, ...lingering.map(({ domain }) => domain)]),
    stop: () => cancelTimer(),
  };
}
