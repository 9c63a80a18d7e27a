/** An edge in this process, with an agent whose operator is the test. */
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import type { Agent, AgentOptions } from '../../agent/agent.ts';
import { edgeSettings } from '../../contract/config/edge-settings.ts';
import type { EdgeDomain, EdgeRule } from '../../contract/plans/edge-plan.ts';
import { type PublishedEdgePlan, planDigest } from '../../contract/plans/published-plan.ts';
import type { Command, Report } from '../../contract/stream/messages.ts';
import { readFileIfThere, writeFileAtomic } from '../../lib/atomic-file.ts';
import { FakeClock } from '../../lib/clock.ts';
import { createLog, silentLog } from '../../lib/log.ts';
import type { SendfileMode } from '../listen/send-file.ts';
import { type Edge, startEdge } from '../main.ts';
import type { OriginTimeouts } from '../origin/origin.ts';
import type { Step } from '../steps.ts';

export interface TestEdgeOptions {
  origin: string;
  rules?: EdgeRule[];
  /** On its disk when it starts. */
  secrets?: ReadonlyMap<string, string>;
  domains?: EdgeDomain[];
  state?: string;
  memory?: number;
  disk?: number;
  clock?: FakeClock;
  connected?: boolean;
  timeouts?: OriginTimeouts;
  sendfile?: SendfileMode;
  /** As in weir.yaml. */
  settings?: z.input<typeof edgeSettings>;
  steps?: readonly Step[];
  /** Off: every request goes through node:http or node:http2. */
  fastPath?: boolean;
}

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
}

export interface TestEdge {
  edge: Edge;
  state: string;
  clock: FakeClock;
  port: number;
  /** Where it speaks TLS. */
  tlsPort: number;
  /** What the operator sends for the plan. */
  secrets(values: ReadonlyMap<string, string>): void;
  /** A request for `host` (video.example.com), and the whole answer. Rejects when it breaks off. */
  get(
    path: string,
    options?: { headers?: Record<string, string>; method?: string; host?: string; body?: string },
  ): Promise<Reply>;
  publish(domains: EdgeDomain[]): Promise<void>;
  /** What it told the operator. */
  reports: Report[];
  command(command: Command): Promise<{ objects: number; durationMs: number }>;
  connected(is: boolean): void;
  metric(name: string, labels?: string): Promise<number>;
  /** Stops it; the state stays unless `keep` is false. */
  stop(): Promise<void>;
  remove(): Promise<void>;
}

export const KEEP = { mode: 'Keep', names: [] as string[] } as const;

export function domainOf(origin: string, more: Partial<EdgeDomain> = {}): EdgeDomain {
  return {
    uid: 'uid-video',
    namespace: 'demo',
    name: 'video',
    hostnames: ['video.example.com', 'v2.example.com'],
    origin: { name: 'main', url: origin },
    rules: [],
    linger: 600,
    ...more,
  };
}

let seq = 0;

export async function startTestEdge(options: TestEdgeOptions): Promise<TestEdge> {
  const state = options.state ?? (await mkdtemp(join(tmpdir(), 'weir-edge-')));
  const clock = options.clock ?? new FakeClock(Date.now());
  let agentOptions: AgentOptions<'edge'> | undefined;
  let isConnected = options.connected ?? true;
  let held: PublishedEdgePlan | undefined;
  const reports: Report[] = [];
  const file = join(state, 'plan.json');

  const take = async (published: PublishedEdgePlan) => {
    const commit = await agentOptions?.prepare(published);
    await writeFileAtomic(file, JSON.stringify(published));
    held = published;
    await commit?.();
  };
  const agent = (given: AgentOptions<'edge'>): Agent<'edge'> => {
    agentOptions = given;
    return {
      async load() {
        if (options.secrets) agentOptions?.onSecrets?.(options.secrets);
        const text = await readFileIfThere(file);
        if (text !== undefined) await take(JSON.parse(text));
      },
      connect() {},
      report: (report) => void reports.push(report),
      held: () => held,
      table: () => ({ version: { epoch: 0, seq: 0 }, rows: [] }),
      connected: () => isConnected,
      async stop() {},
    };
  };
  const edge = await startEdge(
    {
      node: 'zz-1',
      operator: 'https://127.0.0.1:1',
      state,
      listen: [{ host: '127.0.0.1', port: 0 }],
      listenTls: [{ host: '127.0.0.1', port: 0 }],
      admin: { host: '127.0.0.1', port: 0 },
      memory: options.memory ?? 64 * 2 ** 20,
      disk: options.disk ?? 2 ** 30,
      drain: 0,
      settings: edgeSettings.parse({
        ...options.settings,
        ...(options.sendfile && { edge: { sendfile: options.sendfile } }),
      }),
    },
    {
      log: process.env.WEIR_TEST_LOG ? createLog('edge') : silentLog,
      clock,
      agent,
      ...(options.steps && { steps: options.steps }),
      ...(options.timeouts && { timeouts: options.timeouts }),
      ...(options.fastPath === false && { fastPaths: false }),
    },
  );
  const publish = async (domains: EdgeDomain[]) => {
    const plan = { domains };
    await take({ revision: { epoch: 1, seq: ++seq }, digest: planDigest(plan), run: 'test', plan });
  };
  const domains = options.domains ?? [domainOf(options.origin, { rules: options.rules ?? [] })];
  if (held === undefined && domains.length > 0) await publish(domains);
  const portWhere = (secure: boolean) => edge.bound.find((each) => each.secure === secure)?.port ?? 0;
  const port = portWhere(false);
  return {
    edge,
    state,
    clock,
    port,
    tlsPort: portWhere(true),
    secrets: (values) => agentOptions?.onSecrets?.(values),
    get: (path, { host = 'video.example.com', ...rest } = {}) => fetchFrom(port, path, { host, ...rest }),
    publish,
    reports,
    command: async (command) => {
      const result = await agentOptions?.onCommand?.(command);
      if (result === undefined) throw new Error('no agent');
      return result;
    },
    connected(is) {
      isConnected = is;
    },
    async metric(name, labels = '') {
      const { text } = await fetchFrom(edge.admin.port, '/metrics', { host: 'admin' });
      const line = text.split('\n').find((row) => row.startsWith(`weir_edge_${name}${labels} `));
      return Number(line?.split(' ').at(-1) ?? 0);
    },
    stop: () => edge.stop(),
    remove: () => rm(state, { recursive: true, force: true }),
  };
}

export function fetchFrom(
  port: number,
  path: string,
  {
    host,
    headers = {},
    method = 'GET',
    body,
  }: { host: string; headers?: Record<string, string>; method?: string; body?: string },
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, path, method, headers: { host, ...headers }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const whole = Buffer.concat(chunks);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: whole,
            text: whole.toString(),
          });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}
