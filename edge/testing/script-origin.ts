/** An origin that does what a test says, and keeps what it was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen } from '../../lib/listen.ts';

export type Script = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface ScriptOrigin {
  url: string;
  /** The requests that came, newest last. */
  requests: IncomingMessage[];
  /** How many came for this path. */
  count(path: string): number;
  answer(script: Script): void;
  stop(): Promise<void>;
}

export async function startScriptOrigin(first: Script): Promise<ScriptOrigin> {
  let script = first;
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    // The edge's clock is the test's; a Date of the real one would make answers old.
    response.sendDate = false;
    (async () => script(request, response))().catch(() => response.destroy());
  });
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    count: (path) => requests.filter(({ url }) => url === path).length,
    answer(next) {
      script = next;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
