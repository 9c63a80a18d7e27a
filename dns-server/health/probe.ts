/** One probe, on a connection of its own: a GET that must answer 200, or a TCP connection that must be accepted. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { LEAVING_HEADER } from '../../contract/health-answer.ts';
import type { RoutingNode } from '../../contract/plans/routing-plan.ts';
import type { Observation } from './state.ts';

export interface ProbeTarget {
  protocol: RoutingNode['healthCheck']['protocol'];
  address: string;
  port: number;
  path: string;
  timeoutMs: number;
}

/** What a probe has under way: it says how it went, and can be ended. */
type Attempt = (target: ProbeTarget, signal: AbortSignal, end: (seen: Observation) => void) => () => void;

const ATTEMPTS: Record<ProbeTarget['protocol'], Attempt> = { HTTP: get, TCP: open };

/** Never rejects: whatever goes wrong is what was observed. */
export function probe(target: ProbeTarget, signal: AbortSignal): Promise<Observation> {
  const { protocol, timeoutMs } = target;
  return new Promise((resolve) => {
    const end = (observation: Observation) => {
      clearTimeout(deadline);
      destroy();
      resolve(observation);
    };
    const deadline = setTimeout(() => end({ ok: false, detail: `no answer in ${timeoutMs} ms` }), timeoutMs);
    const destroy = ATTEMPTS[protocol](target, signal, end);
  });
}

function get({ address, port, path }: ProbeTarget, signal: AbortSignal, end: (seen: Observation) => void) {
  // A kept connection would not see that a process stopped accepting, so there is no pool.
  const call = request({
    host: address,
    port,
    path,
    agent: false,
    headers: { 'user-agent': 'weir-dns-server' },
    signal,
  });
  call.on('response', ({ statusCode, headers }) => {
    const ok = statusCode === 200;
    const leaves = !ok && LEAVING_HEADER in headers;
    end({ ok, detail: leaves ? 'it leaves' : `HTTP ${statusCode}`, ...(leaves && { leaves }) });
  });
  call.on('error', (error) => end({ ok: false, detail: reasonOf(error) }));
  call.end();
  return () => void call.destroy();
}

function open({ address, port }: ProbeTarget, signal: AbortSignal, end: (seen: Observation) => void) {
  const socket = connect({ host: address, port, signal });
  socket.on('connect', () => end({ ok: true, detail: 'accepted' }));
  socket.on('error', (error) => end({ ok: false, detail: reasonOf(error) }));
  return () => void socket.destroy();
}

function reasonOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message.slice(0, 200);
}
