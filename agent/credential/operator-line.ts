/** Connections to the operator: TLS 1.3, to one whose CA is known, and with our certificate where we have one. */
import { Agent } from 'undici';
import { CA_PATH } from '../../contract/stream/join.ts';
import { caDigest, readBundle, writeBundle } from '../../contract/trust/bundle.ts';
import type { Whereabouts } from '../whereabouts.ts';
import type { Credential } from './credential.ts';

const CONNECT_WITHIN_MS = 5_000;

export interface LineOptions {
  /** In PEM; one is enough. */
  authorities: readonly string[];
  credential?: Pick<Credential, 'key' | 'certificate'> | undefined;
}

export function operatorLine({ authorities, credential }: LineOptions): Agent {
  return new Agent({
    connect: {
      ca: authorities.flatMap((pem) => readBundle(pem).map((certificate) => certificate.toString())),
      ...(credential && { key: credential.key, cert: credential.certificate }),
      minVersion: 'TLSv1.3',
      timeout: CONNECT_WITHIN_MS,
    },
  });
}

/**
 * The CAs of an operator that a join token names by their digests. They are asked of a stranger: whoever answers can
 * only give those that fit, and must then prove on the next connection that its certificate is by one of them.
 */
export async function fetchPinned(
  operator: Whereabouts,
  digests: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const stranger = new Agent({
    connect: { rejectUnauthorized: false, minVersion: 'TLSv1.3', timeout: CONNECT_WITHIN_MS },
  });
  try {
    const { statusCode, body } = await operator.ask(CA_PATH, {
      dispatcher: stranger,
      headersTimeout: CONNECT_WITHIN_MS,
      bodyTimeout: CONNECT_WITHIN_MS,
      ...(signal && { signal }),
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${operator.current()}${CA_PATH} answered ${statusCode}`);
    const known = readBundle(text).filter((certificate) => digests.includes(caDigest(certificate)));
    if (known.length > 0) return writeBundle(known);
    throw new Error(`${operator.current()} is not the operator that this token is for: it has another CA`);
  } finally {
    await stranger.destroy();
  }
}
