/** The parts of weir.yaml that edges are started with; whoever starts one hands them over as JSON. */
import { z } from 'zod';
import { accessLog } from './access-log.ts';
import { limits } from './limits.ts';

const diskQuota = z.strictObject({
  domains: z
    .array(
      z
        .string()
        .regex(/^[a-z0-9-]+\/([a-z0-9-]+|\*)$/, 'namespace/name of a CdnDomain, or namespace/* for all'),
    )
    .min(1)
    .max(1_000)
    .describe('CdnDomains as `namespace/name`, or `namespace/*`: each of them has a quota of its own.'),
  percent: z.int().min(1).max(100).describe('Of what the disk tier of an edge may hold.'),
});

const disk = z
  .strictObject({
    admission: z
      .enum(['always', 'secondRequest'])
      .default('always')
      .describe(
        'What is written to disk: `always` everything that may be stored, `secondRequest` what is asked for again. Until ' +
          'then what fits into 256 KiB is in memory alone, and a larger answer goes to its client and is fetched once ' +
          'more for the second. Prefetches are always written.',
      ),
    quotas: z
      .array(diskQuota)
      .max(1_000)
      .default([])
      .describe(
        'How much of the disk a domain may take; the first that names it counts. What is over a quota makes room among ' +
          'its own objects. A domain without one may take all.',
      ),
  })
  .describe('The disk tier; its size is the edge’s `--disk`.');

const edge = z
  .strictObject({
    workers: z
      .int()
      .min(1)
      .max(64)
      .default(1)
      .describe(
        'Processes that serve, each on a core of its own at best. More than one share the cache’s folder, and a purge is ' +
          'in force in all of them; memory and limits are divided among them. Each may fetch what another one is fetching.',
      ),
    keys: z
      .enum(['disk', 'memory'])
      .default('disk')
      .describe(
        'Where the keys of certificates lie: `disk`, in files of mode 0600, so that an edge serves HTTPS after a restart ' +
          'with no operator in sight; `memory`, so that none is ever written, and a restart waits for the operator.',
      ),
    sendfile: z
      .enum(['auto', 'on', 'off'])
      .default('auto')
      .describe(
        'Large bodies by sendfile(2): `auto` where that works (Linux), `on` or else not start, `off` never.',
      ),
    disk: disk.prefault({}),
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
export type DiskQuota = z.output<typeof diskQuota>;
