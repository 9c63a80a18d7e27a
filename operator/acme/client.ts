/**
 * An ACME server as RFC 8555 has it: signed requests, and what it says to them. Each call is one exchange with a limit on
 * its time; what to do next, and when to try again, is decided elsewhere (course.ts).
 */
import { createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { Agent, request } from 'undici';
import { z } from 'zod';
import { parsedJson } from '../../lib/parsed-json.ts';
import {
  challenge as challengeForm,
  directoryForm,
  orderForm,
  type ProblemForm,
  problemForm,
} from './forms.ts';

const CONNECT_WITHIN_MS = 10_000;
const ANSWER_WITHIN_MS = 30_000;
/** Of a whole exchange: an answer that comes byte by byte would have the order wait for as long as it likes. */
const EXCHANGE_WITHIN_MS = 60_000;
/** A chain, or a list of problems: no server has more to say. */
const MAX_ANSWER_BYTES = 2 ** 20;
/** A nonce may have been used up by the time that it comes (RFC 8555 6.5). */
const NONCE_TRIES = 8;

/** An answer that is a problem (RFC 8555 6.7). */
export class AcmeProblem extends Error {
  readonly status: number;
  /** Without its prefix: `rateLimited`. */
  readonly type: string;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, type: string, detail: string, retryAfterMs?: number) {
    super(type === '' ? `status ${status}` : `${type}: ${detail}`.slice(0, 1_024));
    this.status = status;
    this.type = type;
    this.retryAfterMs = retryAfterMs;
  }

  /** What an order or a challenge says of its end; not every server says it. */
  static told(problem: ProblemForm | undefined, orElse: string, detail: string): AcmeProblem {
    return new AcmeProblem(400, problem?.type ?? orElse, detail);
  }

  /** Nothing is refused, and nothing comes either. */
  static tooLate(): AcmeProblem {
    return new AcmeProblem(504, '', '', 0);
  }
}

export interface AccountKey {
  /** PKCS #8, PEM. P-256. */
  pem: string;
  /** The account's URL; nothing before it was made. */
  url: string | undefined;
}

interface Answered {
  body: unknown;
  text: string;
  location: string | undefined;
  retryAfterMs: number | undefined;
}

interface ClientOptions {
  server: string;
  caBundle: string | undefined;
  key: AccountKey;
  now: () => number;
  exchangeWithinMs?: number;
}

export class AcmeClient {
  readonly #options: ClientOptions;
  readonly #agent: Agent;
  #directory: z.infer<typeof directoryForm> | undefined;
  #nonce: string | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    const { caBundle } = options;
    this.#agent = new Agent({
      connect: { timeout: CONNECT_WITHIN_MS, ...(caBundle !== undefined && { ca: caBundle }) },
    });
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async directory(): Promise<z.infer<typeof directoryForm>> {
    if (!this.#directory) {
      const { body } = await this.#exchange(this.#options.server, 'GET');
      this.#directory = checked(directoryForm, body, 'directory');
    }
    return this.#directory;
  }

  /** Makes the account, or finds the one of this key (RFC 8555 7.3, 7.3.1); resolves with its URL. */
  async account(email: string | undefined, binding?: { keyId: string; hmacKey: string }): Promise<string> {
    const { newAccount } = await this.directory();
    const bound = binding && {
      externalAccountBinding: this.#bind(newAccount, binding),
    };
    const payload = {
      termsOfServiceAgreed: true,
      ...(email !== undefined && { contact: [`mailto:${email}`] }),
      ...bound,
    };
    const { location } = await this.#post(newAccount, payload, true);
    if (location === undefined) throw new AcmeProblem(0, 'malformed', 'the account has no URL');
    this.#options.key.url = location;
    return location;
  }

  /** Resolves with its URL. `replaces`: the renewal identifier of a certificate (RFC 9773 5). */
  async newOrder(hostnames: readonly string[], replaces?: string): Promise<string> {
    const { newOrder } = await this.directory();
    const identifiers = hostnames.map((value) => ({ type: 'dns', value }));
    const { location } = await this.#post(newOrder, {
      identifiers,
      ...(replaces !== undefined && { replaces }),
    });
    if (location === undefined) throw new AcmeProblem(0, 'malformed', 'the order has no URL');
    return location;
  }

  async order(url: string) {
    const { body, retryAfterMs } = await this.#post(url);
    return { ...checked(orderForm, body, 'order'), retryAfterMs };
  }

  async authorization(url: string) {
    const { body, retryAfterMs } = await this.#post(url);
    return { ...checked(authorizationForm, body, 'authorization'), retryAfterMs };
  }

  /** Tells the server to look (RFC 8555 7.5.1). */
  async respond(challengeUrl: string): Promise<void> {
    await this.#post(challengeUrl, {});
  }

  async finalize(url: string, csr: Buffer) {
    const { body } = await this.#post(url, { csr: csr.toString('base64url') });
    return checked(orderForm, body, 'order');
  }

  /** PEM, leaf first (RFC 8555 7.4.2). */
  async certificate(url: string): Promise<string> {
    return (await this.#post(url)).text;
  }

  /** When the server would like it renewed (RFC 9773); nothing where it does not say. */
  async renewalInfo(
    id: string,
  ): Promise<{ start: number; end: number; retryAfterMs: number | undefined } | undefined> {
    const { renewalInfo } = await this.directory();
    if (renewalInfo === undefined) return undefined;
    const { body, retryAfterMs } = await this.#exchange(`${renewalInfo}/${id}`, 'GET');
    const { suggestedWindow } = checked(windowForm, body, 'renewal information');
    const [start, end] = [Date.parse(suggestedWindow.start), Date.parse(suggestedWindow.end)];
    return { start, end, retryAfterMs };
  }

  /** What a challenge's token is answered with (RFC 8555 8.1). */
  thumbprintKey(): object {
    return publicJwk(this.#options.key.pem);
  }

  #bind(url: string, { keyId, hmacKey }: { keyId: string; hmacKey: string }): object {
    const protectedPart = encode({ alg: 'HS256', kid: keyId, url });
    const payload = encode(publicJwk(this.#options.key.pem));
    const signature = createHmac('sha256', Buffer.from(hmacKey, 'base64url'))
      .update(`${protectedPart}.${payload}`)
      .digest('base64url');
    return { protected: protectedPart, payload, signature };
  }

  /** Without a payload it is a POST-as-GET (RFC 8555 6.3). */
  async #post(url: string, payload?: object, withKey = false): Promise<Answered> {
    for (let tries = 1; ; tries++) {
      const nonce = this.#nonce ?? (await this.#freshNonce());
      this.#nonce = undefined;
      try {
        return await this.#exchange(url, 'POST', this.#signed(url, nonce, payload, withKey));
      } catch (error) {
        const isStale = error instanceof AcmeProblem && error.type === 'badNonce';
        if (!isStale || tries === NONCE_TRIES) throw error;
      }
    }
  }

  async #freshNonce(): Promise<string> {
    const { newNonce } = await this.directory();
    await this.#exchange(newNonce, 'HEAD');
    if (this.#nonce === undefined) throw new AcmeProblem(0, 'malformed', 'the server gives no nonce');
    return this.#nonce;
  }

  #signed(url: string, nonce: string, payload: object | undefined, withKey: boolean): string {
    const { pem, url: kid } = this.#options.key;
    const who = withKey || kid === undefined ? { jwk: publicJwk(pem) } : { kid };
    const protectedPart = encode({ alg: 'ES256', ...who, nonce, url });
    const body = payload === undefined ? '' : encode(payload);
    const signature = sign('sha256', Buffer.from(`${protectedPart}.${body}`), {
      key: createPrivateKey(pem),
      dsaEncoding: 'ieee-p1363',
    });
    return JSON.stringify({
      protected: protectedPart,
      payload: body,
      signature: signature.toString('base64url'),
    });
  }

  async #exchange(url: string, method: 'GET' | 'HEAD' | 'POST', body?: string): Promise<Answered> {
    const response = await request(url, {
      method,
      dispatcher: this.#agent,
      headers: {
        'user-agent': 'weir',
        ...(body !== undefined && { 'content-type': 'application/jose+json' }),
      },
      body: body ?? null,
      headersTimeout: ANSWER_WITHIN_MS,
      bodyTimeout: ANSWER_WITHIN_MS,
      signal: AbortSignal.timeout(this.#options.exchangeWithinMs ?? EXCHANGE_WITHIN_MS),
    });
    const { statusCode, headers } = response;
    const text = await readText(response.body);
    this.#nonce = oneHeader(headers['replay-nonce']) ?? this.#nonce;
    const retryAfterMs = retryAfter(oneHeader(headers['retry-after']), this.#options.now());
    if (statusCode >= 400) {
      const { type, detail } = problemForm.safeParse(parsedJson(text)).data ?? { type: '', detail: '' };
      throw new AcmeProblem(statusCode, type, detail, retryAfterMs);
    }
    return { body: parsedJson(text), text, location: oneHeader(headers.location), retryAfterMs };
  }
}

const authorizationForm = z.object({
  status: z.string(),
  identifier: z.object({ value: z.string() }),
  wildcard: z.boolean().default(false),
  challenges: z.array(challengeForm),
});
const windowForm = z.object({ suggestedWindow: z.object({ start: z.string(), end: z.string() }) });

function checked<T>(form: z.ZodType<T>, body: unknown, what: string): T {
  const read = form.safeParse(body);
  if (read.success) return read.data;
  throw new AcmeProblem(0, 'malformed', `the server's ${what} is none: ${z.prettifyError(read.error)}`);
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > MAX_ANSWER_BYTES)
      throw new AcmeProblem(0, 'malformed', `more than ${MAX_ANSWER_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

const oneHeader = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value);

/** Seconds, or a date (RFC 9110 10.2.3). */
export function retryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The members of RFC 7638 alone, in its order. */
function publicJwk(pem: string): { crv: unknown; kty: unknown; x: unknown; y: unknown } {
  const { crv, kty, x, y } = createPublicKey(pem).export({ format: 'jwk' });
  return { crv, kty, x, y };
}
