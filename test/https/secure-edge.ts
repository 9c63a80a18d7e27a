/** An edge as tools of others meet it: `localhost` over TLS with both kinds of keys, before an origin of the test's. */
import { secretsOf, type TestCertificate, testCa, tlsWith } from '../../edge/testing/certificates.ts';
import { type Script, type ScriptOrigin, startScriptOrigin } from '../../edge/testing/script-origin.ts';
import { domainOf, startTestEdge, type TestEdge } from '../../edge/testing/test-edge.ts';

export const HOST = 'localhost';

export interface SecureEdge {
  edge: TestEdge;
  origin: ScriptOrigin;
  certificates: TestCertificate[];
  stop(): Promise<void>;
}

export async function startSecureEdge(script: Script): Promise<SecureEdge> {
  const ca = await testCa();
  const certificates = [await ca.issue('demo/ec', [HOST]), await ca.issue('demo/rsa', [HOST], 'RSA')];
  const origin = await startScriptOrigin(script);
  const tls = tlsWith(certificates, { hsts: 'max-age=300' });
  const edge = await startTestEdge({
    origin: origin.url,
    secrets: secretsOf(certificates),
    domains: [domainOf(origin.url, { hostnames: [HOST], tls })],
  });
  return {
    edge,
    origin,
    certificates,
    async stop() {
      await edge.stop();
      await edge.remove();
      await origin.stop();
    },
  };
}
