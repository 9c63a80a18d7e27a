/** An edge before a scripted origin, new for each test of the file that calls this. */
import { afterEach, beforeEach } from 'vitest';
import { type ScriptOrigin, startScriptOrigin } from './script-origin.ts';
import { type Reply, startTestEdge, type TestEdge, type TestEdgeOptions } from './test-edge.ts';

export interface ScriptedCdn {
  readonly origin: ScriptOrigin;
  readonly edge: TestEdge;
  /** The origin answers so from now on, with a body that tells which request it was: `answer 2`. */
  says(headers: Record<string, string | string[]>, status?: number): void;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  /** The same with another edge: its cache is empty. */
  startAnew(options: Partial<TestEdgeOptions>): Promise<void>;
}

export function scriptedCdn(options: Partial<TestEdgeOptions> = {}): ScriptedCdn {
  let origin: ScriptOrigin;
  let edge: TestEdge;

  const start = async (further: Partial<TestEdgeOptions>) => {
    edge = await startTestEdge({ origin: origin.url, ...further });
  };
  const end = async () => {
    await edge.stop();
    await edge.remove();
  };

  beforeEach(async () => {
    origin = await startScriptOrigin((_request, response) => response.end());
    await start(options);
  });
  afterEach(async () => {
    await end();
    await origin.stop();
  });

  return {
    get origin() {
      return origin;
    },
    get edge() {
      return edge;
    },
    says: (headers, status = 200) =>
      origin.answer((_request, response) => {
        response.writeHead(status, headers).end(`answer ${origin.requests.length}`);
      }),
    get: (path, headers = {}) => edge.get(path, { headers }),
    async startAnew(further) {
      await end();
      await start(further);
    },
  };
}
