/** Why somebody is not let in: the status, and the text that says what to do. One table for code, answers and docs. */
import type { RefusalReason } from '../../contract/stream/join.ts';
import { Refusal } from '../publish/refusal.ts';

const JOIN_ANEW = 'make a new token with `weir token create` and join again';

const REFUSALS: Record<RefusalReason, readonly [status: number, advice: string]> = {
  NoCertificate: [401, `an agent shows the certificate that it got when it joined; to join, ${JOIN_ANEW}`],
  UnknownCa: [401, `the certificate is of another CA than this operator’s; ${JOIN_ANEW}`],
  NotAnAgent: [403, 'the certificate names no agent'],
  NotYetValid: [401, 'the certificate is not valid yet: compare the clocks of both machines'],
  Expired: [401, `the certificate has expired; ${JOIN_ANEW}`],
  Denied: [
    403,
    'it is on the deny list: take it off `trust.deny` in weir.yaml, or join with a new certificate',
  ],
  WrongNode: [403, 'a node speaks for itself only'],
  NodeRemade: [401, `the certificate is for an EdgeNode of this name that was removed; ${JOIN_ANEW}`],
  UnknownNode: [404, 'apply its EdgeNode first'],
  BadToken: [401, 'no such token; `weir token list` shows those that there are'],
  UsedToken: [
    401,
    'the token was used before, and is good for one machine; `weir token create` makes another',
  ],
  ExpiredToken: [401, 'the token has expired; `weir token create` makes another'],
  WrongAudience: [401, 'the ServiceAccount token is not made for the audience `weir`'],
  WrongServiceAccount: [403, '`trust.serviceAccounts` in weir.yaml says whose tokens are taken'],
  BadRequest: [400, 'it is no request for a certificate that can be granted'],
};

export class TrustRefusal extends Refusal {
  readonly reason: RefusalReason;

  /** `detail` names who and what; it never carries a token. */
  constructor(reason: RefusalReason, detail: string) {
    const [status, advice] = REFUSALS[reason];
    super(status, `${detail}: ${advice}`);
    this.reason = reason;
  }
}
