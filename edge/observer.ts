/**
 * What happened to a request, told once, for all who count or write it down: metrics, usage, the access log. Whoever
 * serves (the pipeline's listener, the fast path) calls this and knows none of them.
 */
import type { Result } from './answer/answer.ts';
import type { EdgeMetrics } from './metrics.ts';
import type { UsageMeter } from './usage/meter.ts';

/** An answer whose head is made. */
export interface Answered {
  /** The domain's label, '' where there is none. */
  domain: string;
  result: Result;
  status: number;
  /** Until then; hits of the fast path are not timed. */
  ms: number | undefined;
}

/** As in the access log. */
export type Protocol = 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';

/** One that is out, or broke off, for the access log. */
export interface Ended extends Answered {
  /** Of the body, as far as it was sent. */
  bytes: number;
  protocol: Protocol;
  method: string;
  scheme: 'http' | 'https';
  host: string;
  /** The target as it came. */
  url: string;
  client: string | undefined;
  /** Asked for only by who needs them: most requests are not written down. */
  field(name: 'referer' | 'user-agent'): string | undefined;
}

export interface Observer {
  answered(answered: Answered): void;
  /** Bytes of a body went to a client, as they go. */
  sent(domain: string, bytes: number): void;
  /** Bytes of a body came from an origin. */
  fetched(domain: string, bytes: number): void;
  /** Absent where nobody wants to know. */
  ended: ((ended: Ended) => void) | undefined;
}

export function createObserver({
  metrics,
  meter,
  accessLog,
}: {
  metrics: EdgeMetrics;
  meter: UsageMeter;
  accessLog: { note(ended: Ended): void } | undefined;
}): Observer {
  return {
    answered(answered) {
      const { domain, result, ms } = answered;
      meter.answered(answered);
      metrics.countAnswer(domain, result);
      if (ms === undefined) metrics.countFastHit();
      else metrics.answerSeconds.observe({ domain: metrics.timedAs(domain), result }, ms / 1_000);
    },
    sent(domain, bytes) {
      meter.sent(domain, bytes);
      metrics.countSent(domain, bytes);
    },
    fetched(domain, bytes) {
      meter.fetched(domain, bytes);
      metrics.originBytes.inc({ domain }, bytes);
    },
    ended: accessLog && ((ended) => accessLog.note(ended)),
  };
}
