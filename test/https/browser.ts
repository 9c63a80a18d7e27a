/** Chromium without a window, told what to do by the DevTools protocol: one page, and what it hears from the network. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';

const response = z.object({ url: z.string(), status: z.number(), protocol: z.string().optional() });
const message = z.object({
  id: z.number().optional(),
  method: z.string().optional(),
  result: z.looseObject({}).optional(),
  error: z.object({ message: z.string() }).optional(),
  params: z.looseObject({ statusCode: z.number().optional(), response: response.optional() }).optional(),
});

export interface Browser {
  /** What the page got, in the order in which it came; answers out of its own cache have their first status. */
  responses: z.infer<typeof response>[];
  /** As they were on the wire, 304 too. */
  statuses: number[];
  send(method: string, params?: object): Promise<Record<string, unknown>>;
  /** The value of an expression on the page. */
  value(expression: string): Promise<unknown>;
  stop(): Promise<void>;
}

/** One that does not go by itself is ended. */
const CLOSES_WITHIN_MS = 20_000;

export async function startBrowser(flags: readonly string[]): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'weir-browser-'));
  const own = ['--headless=new', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0'];
  const child = spawn('chromium', [...own, `--user-data-dir=${profile}`, ...flags, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // Its own processes end with it.
    detached: true,
  });
  const socket = new WebSocket(await debuggerOf(child));
  await once(socket, 'open');
  const waiting = new Map<number, (answer: z.infer<typeof message>) => void>();
  const browser = { responses: [] as Browser['responses'], statuses: [] as number[] };
  socket.addEventListener('message', ({ data }) => {
    const { id, method, params, ...answer } = message.parse(JSON.parse(String(data)));
    if (id !== undefined) waiting.get(id)?.(answer);
    else if (method === 'Network.responseReceived' && params?.response)
      browser.responses.push(params.response);
    else if (method === 'Network.responseReceivedExtraInfo') browser.statuses.push(params?.statusCode ?? 0);
  });
  let ids = 0;
  const send = (method: string, params: object = {}, sessionId?: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const id = ++ids;
      waiting.set(id, ({ result = {}, error }) =>
        error ? reject(new Error(error.message)) : resolve(result),
      );
      socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const onPage = (method: string, params?: object) => send(method, params, String(sessionId));
  for (const domain of ['Network', 'Page', 'Runtime']) await onPage(`${domain}.enable`);
  return {
    ...browser,
    send: onPage,
    async value(expression) {
      const options = { expression, awaitPromise: true, returnByValue: true };
      return z.looseObject({ value: z.unknown() }).parse((await onPage('Runtime.evaluate', options)).result)
        .value;
    },
    async stop() {
      const exited = child.exitCode === null ? once(child, 'exit') : undefined;
      // Not waited for: it may close the line before it has answered.
      void send('Browser.close').catch(() => {});
      const ending = setTimeout(() => child.pid && process.kill(-child.pid, 'SIGKILL'), CLOSES_WITHIN_MS);
      await exited;
      clearTimeout(ending);
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function debuggerOf({ stderr }: ChildProcess): Promise<string> {
  if (stderr === null) throw new Error('Chromium has no stderr');
  for await (const line of createInterface(stderr)) {
    const [, url] = /^DevTools listening on (ws:.*)$/.exec(line) ?? [];
    if (url !== undefined) {
      stderr.resume();
      return url;
    }
  }
  throw new Error('Chromium ended before it listened');
}
