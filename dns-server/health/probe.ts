/** One probe, on a connection of its own: a GET that must answer 200, or a TCP connection that must be accepted. */
import { type ClientRequest, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { connect } from 'node:net';
import type { SecureContext } from 'node:tls';
import { LEAVING_HEADER } from '../../contract/health-answer.ts';
import type { RoutingNode } from '../../contract/plans/routing-plan.ts';
import type { Observation } from './state.ts';

export interface ProbeTarget {
  protocol: RoutingNode['healthCheck']['protocol'];
  address: string;
  port: number;
  path: string;
  /** With HTTPS. */
  tls?: RoutingNode['healthCheck']['tls'];
  /** With HTTPS: which CAs count where the certificate is verified, if not the usual ones. */
  trust?: SecureContext | undefined;
  timeoutMs: number;
}

/** What a probe has under way: it says how it went, and can be ended. */
type Attempt = (target: ProbeTarget, signal: AbortSignal, end: (seen: Observation) => void) => () => void;

const ATTEMPTS: Record<ProbeTarget['protocol'], Attempt> = { HTTP: get, HTTPS: getTls, TCP: open };

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

/** A kept connection would not see that a process stopped accepting, so there is no pool. */
const requestOptions = ({ address, port, path }: ProbeTarget, signal: AbortSignal) => ({
  host: address,
  port,
  path,
  agent: false as const,
  headers: { 'user-agent': 'weir-dns-server' },
  signal,
});

function get(target: ProbeTarget, signal: AbortSignal, end: (seen: Observation) => void) {
  return watch(request(requestOptions(target, signal)), end);
}

function getTls(target: ProbeTarget, signal: AbortSignal, end: (seen: Observation) => void) {
  const { hostname, verify } = target.tls ?? { hostname: target.address, verify: false };
  const options = requestOptions(target, signal);
  const call = requestTls({
    ...options,
    headers: { ...options.headers, host: hostname },
    // No address: SNI has names alone (RFC 6066 3).
    ...(target.tls && { servername: hostname }),
    rejectUnauthorized: verify,
    ...(target.trust && { secureContext: target.trust }),
  });
  return watch(call, end);
}

function watch(call: ClientRequest, end: (seen: Observation) => void) {
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
