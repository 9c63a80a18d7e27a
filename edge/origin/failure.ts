/** Why an origin gave no answer, and what a client is told. */

export class OriginFailure extends Error {
  readonly status: 502 | 504;
  /** `ECONNREFUSED`, `UND_ERR_HEADERS_TIMEOUT` …: what to search for. */
  readonly code: string;

  /** What it answered, where it did. */
  readonly answered: number | undefined;

  constructor(cause: unknown) {
    const code = codeOf(cause);
    super(`${TIMEOUTS.has(code) ? 'it did not answer in time' : 'it gave no usable answer'} (${code})`, {
      cause,
    });
    this.code = code;
    this.answered = cause instanceof ErrorAnswer ? cause.status : undefined;
    this.status = TIMEOUTS.has(code) ? 504 : 502;
  }
}

/** An answer that says that the origin failed, where something stale is used instead. */
export class ErrorAnswer extends Error {
  readonly code: string;
  readonly status: number;

  constructor(status: number) {
    super(`status ${status}`);
    this.code = `STATUS_${status}`;
    this.status = status;
  }
}

/** A body in a transfer coding that nobody asked for. */
export class UnknownCoding extends Error {
  readonly code = 'TRANSFER_CODING';
}

const TIMEOUTS = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'unknown';
}

/** A connection that the origin closed while it lay idle: the request did not reach it. */
export function isBrokenConnection(error: unknown): boolean {
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(codeOf(error));
}
