/** One probe: a GET that must answer 200 within the time-out, on a connection of its own. */
import { request } from 'node:http';
import type { Observation } from './state.ts';

export interface ProbeTarget {
  address: string;
  port: number;
  path: string;
  timeoutMs: number;
}

/** Never rejects: whatever goes wrong is what was observed. */
export function probe(
  { address, port, path, timeoutMs }: ProbeTarget,
  signal: AbortSignal,
): Promise<Observation> {
  return new Promise((resolve) => {
    // A kept connection would not see that a process stopped accepting, so there is no pool.
    const call = request({
      host: address,
      port,
      path,
      agent: false,
      headers: { 'user-agent': 'weir-dns-server' },
      signal,
    });
    const end = (observation: Observation) => {
      clearTimeout(deadline);
      call.destroy();
      resolve(observation);
    };
    const deadline = setTimeout(() => end({ ok: false, detail: `no answer in ${timeoutMs} ms` }), timeoutMs);
    call.on('response', ({ statusCode }) => {
      end({ ok: statusCode === 200, detail: `HTTP ${statusCode}` });
    });
    call.on('error', (error) => end({ ok: false, detail: reasonOf(error) }));
    call.end();
  });
}

function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message.slice(0, 200);
}
