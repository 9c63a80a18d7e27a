/**
 * How an agent gets its first certificate, and the next ones. In order: the request is read, the bearer proves who asks,
 * the node must exist and not be denied, a token that is good for once is spent (durably), the certificate is made.
 *
 *     join token        good once, for the role and node that it was made for
 *     pod token         TokenReview; an edge has the name of its pod's Kubernetes node, a dns-server that or its pod's
 *     machine's token   the one in the state folder, from this machine alone: the programs of `weir standalone`
 */
import { createHash, timingSafeEqual, type webcrypto } from 'node:crypto';
import type { Issued, JoinRequest } from '../../contract/stream/join.ts';
import type { Role } from '../../contract/stream/messages.ts';
import { agentIdentity, type CertifiedIdentity } from '../../contract/trust/identity.ts';
import { type JoinTokenRecord, parseJoinToken } from '../../contract/trust/join-token.ts';
import type { Clock } from '../../lib/clock.ts';
import { isLoopback } from '../../lib/listen-address.ts';
import type { Log } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import { Refusal } from '../publish/refusal.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { readRequest } from './certificates.ts';
import { type GuardedStore, update } from './guarded-store.ts';
import { findToken, spent } from './join-tokens.ts';
import type { TrustPolicy } from './policy.ts';
import { TrustRefusal } from './refusal.ts';
import type { ReviewToken } from './token-review.ts';

export interface JoiningOptions {
  ca: CertificateAuthority;
  tokens: GuardedStore<JoinTokenRecord[]>;
  /** The state folder's. */
  machineToken: string;
  /** Where there is a Kubernetes API. */
  review: ReviewToken | undefined;
  /** Throws a Refusal where it is not known: at a replica that does not lead. */
  policy: () => TrustPolicy;
  clock: Clock;
  log: Log;
}

export interface Bearer {
  token: string;
  /** The address that it came from. */
  from: string;
}

/** Who the bearer says that it is, and what has to be done before that is believed. */
interface Proof {
  role: Role;
  node: string;
  spend?: () => Promise<void>;
}

export class Joining {
  readonly #options: JoiningOptions;

  constructor(options: JoiningOptions) {
    this.#options = options;
  }

  async join(bearer: Bearer, request: JoinRequest): Promise<Issued> {
    // Elsewhere first: nobody is asked in vain, and no token is spent.
    this.#options.policy();
    const publicKey = await publicKeyOf(request.csr);
    const { spend, ...proven } = await this.#prove(bearer, request);
    const identity = this.#admit(proven);
    await spend?.();
    return this.#issue(publicKey, identity);
  }

  async renew(identity: CertifiedIdentity, csr: string): Promise<Issued> {
    const publicKey = await publicKeyOf(csr);
    return this.#issue(publicKey, this.#admit(identity));
  }

  async #issue(publicKey: webcrypto.CryptoKey, identity: CertifiedIdentity): Promise<Issued> {
    const { ca, log } = this.#options;
    const certificate = await ca.issueToAgent(publicKey, identity);
    const { role, node } = identity;
    log.info({ role, node }, 'a certificate is given');
    return { role, node, certificate, bundle: ca.bundle().pem };
  }

  #prove(bearer: Bearer, request: JoinRequest): Proof | Promise<Proof> {
    const token = parseJoinToken(bearer.token);
    if (token) return this.#byJoinToken(token, request);
    if (isSame(bearer.token, this.#options.machineToken)) return onThisMachine(bearer, request);
    // JSON in base64, which begins with a brace.
    if (bearer.token.startsWith('eyJ')) return this.#byPodToken(bearer.token, request);
    throw new TrustRefusal('BadToken', 'the token is none that this operator knows');
  }

  async #byJoinToken(
    token: NonNullable<ReturnType<typeof parseJoinToken>>,
    request: JoinRequest,
  ): Promise<Proof> {
    const { tokens, clock } = this.#options;
    const find = (records: readonly JoinTokenRecord[] = []) => {
      const found = findToken(records, token, clock.now());
      if ('reason' in found) throw new TrustRefusal(found.reason, `join token ${token.id}`);
      return found.record;
    };
    const record = find((await tokens.read()).value);
    const node = record.node ?? request.node;
    if (node === undefined)
      throw new TrustRefusal('BadRequest', 'the token names no node, and so has the request to');
    const proof = { role: record.role, node };
    mustBe(proof, request, `join token ${token.id}`);
    return {
      ...proof,
      async spend() {
        // Found again: of two that came at once, the guard lets one through.
        await update(tokens, (records) => {
          find(records);
          return spent(records ?? [], token.id, clock.now());
        });
      },
    };
  }

  async #byPodToken(token: string, request: JoinRequest): Promise<Proof> {
    const { review, policy } = this.#options;
    if (!review) throw new TrustRefusal('BadToken', 'there is no Kubernetes API here to ask about it');
    const claims = await review(token).catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'a ServiceAccount token could not be reviewed');
      throw new Refusal(503, 'the Kubernetes API does not answer; try again');
    });
    if ('reason' in claims) throw new TrustRefusal(claims.reason, 'the ServiceAccount token is not taken');
    const role = request.role ?? 'edge';
    const accounts = policy().serviceAccounts[role];
    const account = `ServiceAccount ${claims.serviceAccount} as ${role}`;
    if (!accounts.includes(claims.serviceAccount)) throw new TrustRefusal('WrongServiceAccount', account);
    // A dns-server whose state lies on its Kubernetes node goes by that node's name, through all of its pods.
    const own = role === 'edge' ? claims.node : claims.pod;
    const node = role === 'dns-server' && request.node === claims.node ? claims.node : own;
    if (node === undefined) throw new TrustRefusal('WrongNode', `pod ${claims.pod} is bound to no node`);
    mustBe({ role, node }, request, account);
    return { role, node };
  }

  /** The identity as it is certified. */
  #admit({ role, node }: { role: Role; node: string }): CertifiedIdentity {
    const { deny, incarnation } = this.#options.policy();
    const denied = deny.some(({ agent }) => agent?.role === role && agent.node === node);
    if (denied) throw new TrustRefusal('Denied', `${role} ${node}`);
    const made = role === 'edge' ? incarnation(node) : undefined;
    if (role === 'edge' && made === undefined) {
      throw new TrustRefusal('UnknownNode', `no EdgeNode is called ${node}`);
    }
    const identity = agentIdentity.safeParse({
      role,
      node,
      ...(made !== undefined && { incarnation: made }),
    });
    if (identity.success) return identity.data;
    throw new TrustRefusal('BadRequest', `${role} ${node}: a name has small letters, digits, - and .`);
  }
}

async function publicKeyOf(csr: string): Promise<webcrypto.CryptoKey> {
  return readRequest(csr).catch((error: unknown) => {
    throw new TrustRefusal('BadRequest', messageOf(error));
  });
}

function onThisMachine({ from }: Bearer, { role, node }: JoinRequest): Proof {
  if (!isLoopback(from)) throw new TrustRefusal('BadToken', `this machine’s own token, shown from ${from}`);
  if (role && node !== undefined) return { role, node };
  throw new TrustRefusal('BadRequest', 'role and node are needed with this machine’s own token');
}

function mustBe(proof: Proof, request: JoinRequest, who: string): void {
  const { role = proof.role, node = proof.node } = request;
  if (role === proof.role && node === proof.node) return;
  throw new TrustRefusal('WrongNode', `${who} is for ${proof.role} ${proof.node}, not for ${role} ${node}`);
}

/** In the same time whatever is given. */
export function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
