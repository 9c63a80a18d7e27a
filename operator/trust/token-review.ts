/**
 * Whose a projected ServiceAccount token is, as the Kubernetes API says: TokenReview, with the claims that bind a token
 * to its pod and that pod to its node.
 */
import { z } from 'zod';
import { AUDIENCE, type RefusalReason } from '../../contract/stream/join.ts';
import type { KubernetesApi } from '../kubernetes/api.ts';

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';
const CLAIM = 'authentication.kubernetes.io';

export interface PodClaims {
  /** `namespace/name` */
  serviceAccount: string;
  pod: string;
  /** Nothing where the pod is bound to none yet. */
  node: string | undefined;
}

/** Throws when the API does not answer: that is no fault of the token. */
export type ReviewToken = (token: string) => Promise<PodClaims | { reason: RefusalReason }>;

const answer = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    audiences: z.array(z.string()).default([]),
    user: z
      .object({
        username: z.string().default(''),
        extra: z.record(z.string(), z.array(z.string())).default({}),
      })
      .prefault({}),
  }),
});

export function tokenReview(api: KubernetesApi): ReviewToken {
  return async (token) => {
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences: [AUDIENCE] },
    };
    return judgeReview(await api.create(PATH, body), token);
  };
}

export function judgeReview(review: unknown, token: string): PodClaims | { reason: RefusalReason } {
  const { authenticated, audiences, user } = answer.parse(review).status;
  if (!authenticated) return { reason: isForOthers(token) ? 'WrongAudience' : 'BadToken' };
  // An API server that knows no audiences says nothing of them, and has accepted a token that was made for itself.
  if (!audiences.includes(AUDIENCE)) return { reason: 'WrongAudience' };
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user.username) ?? [];
  const claim = (key: string) => user.extra[`${CLAIM}/${key}`]?.[0];
  const pod = claim('pod-name');
  // A token that is bound to no pod could come from anywhere.
  if (namespace === undefined || name === undefined || pod === undefined)
    return { reason: 'WrongServiceAccount' };
  return { serviceAccount: `${namespace}/${name}`, pod, node: claim('node-name') };
}

/** Only to say what is wrong with a token that was refused already: nobody has checked what it says of itself. */
function isForOthers(token: string): boolean {
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const { aud } = z.object({ aud: z.union([z.string(), z.array(z.string())]) }).parse(payload);
    return ![aud].flat().includes(AUDIENCE);
  } catch {
    return false;
  }
}
