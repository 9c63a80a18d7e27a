/** The parts of weir.yaml that edges are started with; whoever starts one hands them over as JSON. */
import { z } from 'zod';
import { accessLog } from './access-log.ts';
import { limits } from './limits.ts';

const edge = z
  .strictObject({
    workers: z
      .int()
      .min(1)
      .max(64)
      .default(1)
      .describe(
        'Processes that serve, each on a core of its own at best. More than one share the cache’s folder, and a purge is ' +
          'in force in all of them; but each has a memory tier and limits of its own, and may fetch what another one is fetching.',
      ),
    sendfile: z
      .enum(['auto', 'on', 'off'])
      .default('auto')
      .describe(
        'Large bodies by sendfile(2): `auto` where that works (Linux), `on` or else not start, `off` never.',
      ),
    tls: z
      .strictObject({
        defaultDomain: z
          .string()
          .regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, 'namespace/name of a CdnDomain')
          .optional()
          .describe(
            'The CdnDomain, as `namespace/name`, whose certificates answer a handshake without a name, or for a name that ' +
              'no domain with `tls` has. Absent: such a handshake is refused.',
          ),
      })
      .prefault({})
      .describe('TLS that is not of one domain.'),
  })
  .describe('How edges use their machine, and meet clients.');

export const edgeSettings = z.strictObject({
  edge: edge.prefault({}),
  limits: limits.prefault({}),
  accessLog: accessLog.optional(),
});

export type EdgeSettings = z.output<typeof edgeSettings>;
