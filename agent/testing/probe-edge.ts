/** For tests: an edge's agent, let in with the token of the operator's machine, over a folder of its own, and what it put in force. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EdgePlan } from '../../contract/plans/edge-plan.ts';
import { type PublishedEdgePlan, planDigest } from '../../contract/plans/published-plan.ts';
import { silentLog } from '../../lib/log.ts';
import type { Agent, AgentOptions } from '../agent.ts';
import { createAgent } from '../create-agent.ts';

export interface Probe {
  agent: Agent<'edge'>;
  /** Names of the domains in force, and the revisions that were put in force, in order. */
  inForce: string[];
  committed: string[];
}

export interface Operator {
  url: string;
  /** In PEM. */
  ca: string;
  /** Good for whoever is on its machine. */
  token: string;
}

type Changes = Partial<AgentOptions<'edge'>>;

export async function probeEdge(folder: string, operator: Operator, changes: Changes = {}): Promise<Probe> {
  const probe: Omit<Probe, 'agent'> = { inForce: [], committed: [] };
  const agent = createAgent<'edge'>({
    role: 'edge',
    node: 'a',
    ...(await accessTo(operator, folder)),
    folder: join(folder, 'edge'),
    log: silentLog,
    prepare: async ({ revision, plan }) => {
      const names = plan.domains.map(({ name }) => name);
      return () => {
        probe.inForce = names;
        probe.committed.push(`${revision.epoch}.${revision.seq}`);
      };
    },
    ...changes,
  });
  return Object.assign(probe, { agent });
}

/** What an agent finds its operator by, and joins with. */
export async function accessTo({ url, ca, token }: Operator, folder: string) {
  const files = { joinTokenFile: join(folder, 'token'), operatorCa: join(folder, 'operator-ca.pem') };
  await writeFile(files.joinTokenFile, `${token}\n`);
  await writeFile(files.operatorCa, ca);
  return { operator: url, ...files };
}

/** A plan with these domains, as an operator would publish it. */
export function published(seq: number, names: readonly string[], epoch = 3): PublishedEdgePlan {
  const plan: EdgePlan = {
    domains: names.map((name) => ({
      uid: `uid-${name}`,
      namespace: 'demo',
      name,
      hostnames: [`${name}.example.com`],
      origin: { name: 'main', url: 'http://192.0.2.1' },
      rules: [],
      linger: 600,
    })),
  };
  return { revision: { epoch, seq }, digest: planDigest(plan), run: 'run-1', plan };
}
