/** For tests: a stream server on a free port that writes down what agents do, and offers them what the test says. */
import { Registry } from 'prom-client';
import type { PublishedPlan } from '../../contract/plans/published-plan.ts';
import type { Revision } from '../../contract/plans/revision.ts';
import type { Report } from '../../contract/stream/messages.ts';
import { FakeClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { Refusal, StreamServer } from '../publish/stream-server.ts';

export const TOKEN = 'a-token-for-tests';

export interface StreamHost {
  url: string;
  port: number;
  server: StreamServer;
  clock: FakeClock;
  /** `connect a 1.2`, `ack a 1.3`, `disconnect a`, in the order of arrival. */
  seen: string[];
  reports: Report[];
  /** What an agent that connects is offered. */
  plan: PublishedPlan | undefined;
  stop(): Promise<void>;
}

export async function startStreamHost({ port = 0, nodes = ['a', 'b'] } = {}): Promise<StreamHost> {
  const clock = new FakeClock();
  const seen: string[] = [];
  const reports: Report[] = [];
  const server = new StreamServer({
    listen: { host: '127.0.0.1', port },
    token: TOKEN,
    metrics: new Registry(),
    notReady: () => 'this is a test',
    clock,
    log: silentLog,
    events: {
      async connecting({ node }) {
        if (!nodes.includes(node)) throw new Refusal(404, `no EdgeNode is called ${node}`);
        return 3;
      },
      connected(session, held) {
        seen.push(`connect ${session.identity.node} ${text(held)}`);
        if (host.plan) session.offer(host.plan);
      },
      disconnected: ({ node }) => void seen.push(`disconnect ${node}`),
      reported({ node }, report) {
        reports.push(report);
        seen.push(`${report.type} ${node} ${'revision' in report ? text(report.revision) : ''}`.trim());
      },
      force: async ({ node, state }) => void seen.push(`force ${node} ${state}`),
      resources: () => ({ resources: [] }),
      routing: () => undefined,
    },
  });
  const bound = await server.start();
  const host: StreamHost = {
    url: `http://127.0.0.1:${bound.port}`,
    port: bound.port,
    server,
    clock,
    seen,
    reports,
    plan: undefined,
    stop: () => server.stop(),
  };
  return host;
}

const text = ({ epoch, seq }: Revision) => `${epoch}.${seq}`;
