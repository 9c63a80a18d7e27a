/** For tests: a stream server on a free port that writes down what agents do, and offers them what the test says. */
import { Registry } from 'prom-client';
import { EMPTY_TABLE } from '../../contract/plans/node-table.ts';
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import type { AgentSecret } from '../../contract/stream/agent-secret.ts';
import type { Report } from '../../contract/stream/messages.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { Refusal } from '../publish/refusal.ts';
import { Sessions } from '../publish/sessions.ts';
import { StreamServer } from '../publish/stream-server.ts';
import { Switchboard } from '../relay/switchboard.ts';
import { refusing } from '../stand-by.ts';
import { type OperatorPlace, type TestTrust, TOKEN, testBundle, testTrust } from './trust.ts';

export interface StreamHost extends OperatorPlace, TestTrust {
  port: number;
  metrics: Registry;
  server: StreamServer;
  /** What agents are told. */
  switchboard: Switchboard;
  clock: FakeClock;
  /** `connect a 1.2`, `ack a 1.3`, `disconnect a`, in the order of arrival. */
  seen: string[];
  reports: Report[];
  /** What dns-servers are to hold. */
  secrets(secrets: AgentSecret[]): void;
  /** Edges are offered it, also those that connect later. */
  publish(plan: PublishedPlan): void;
  stop(): Promise<void>;
}

interface StreamHostOptions {
  port?: number;
  nodes?: string[];
  /** By default one of the test's CA. */
  trust?: TestTrust;
}

export async function startStreamHost(options: StreamHostOptions = {}): Promise<StreamHost> {
  const { port = 0, nodes = ['a', 'b'] } = options;
  const trusting = options.trust ?? (await testTrust({ nodes }));
  const metrics = new Registry();
  const clock = new FakeClock();
  const seen: string[] = [];
  const reports: Report[] = [];
  const sessions = new Sessions(clock);
  const switchboard = new Switchboard(
    {
      async connecting({ node }) {
        if (!nodes.includes(node)) throw new Refusal(404, `no EdgeNode is called ${node}`);
        return 3;
      },
      connected: ({ node }, held) => void seen.push(`connect ${node} ${text(held)}`),
      disconnected: ({ node }) => void seen.push(`disconnect ${node}`),
      reported({ node }, report) {
        reports.push(report);
        seen.push(`${report.type} ${node} ${'revision' in report ? text(report.revision) : ''}`.trim());
      },
      plan: () => undefined,
      table: () => EMPTY_TABLE,
    },
    silentLog,
  );
  sessions.follow(switchboard.attach(sessions));
  const nothing = refusing(() => new Refusal(503, 'no plan has been published yet'));
  const server = new StreamServer({
    listen: { host: '127.0.0.1', port },
    token: TOKEN,
    trust: trusting.trust,
    sessions,
    views: () => ({
      ...nothing.views,
      force: async ({ node, state }) => void seen.push(`force ${node} ${state}`),
      resources: () => ({ resources: [] }),
    }),
    metrics,
    notReady: () => 'this is a test',
    clock,
    log: silentLog,
  });
  const bound = await server.start();
  return {
    ...trusting,
    url: `https://127.0.0.1:${bound.port}`,
    ca: await testBundle(),
    token: TOKEN,
    metrics,
    server,
    port: bound.port,
    switchboard,
    clock,
    seen,
    reports,
    secrets: (secrets) => sessions.secrets(secrets),
    publish: (plan) => switchboard.plan('edge', plan),
    async stop() {
      await server.stop();
      await trusting.trust.stop();
    },
  };
}

const text = ({ epoch, seq }: Revision) => `${epoch}.${seq}`;
