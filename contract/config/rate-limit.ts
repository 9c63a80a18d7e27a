/** How many UDP answers one client, or what claims to be one, gets. */
import { z } from 'zod';
import { cidr } from '../kinds/scalars.ts';

const count = z.int().min(1).max(1_000_000_000);

export const rateLimit = z
  .strictObject({
    responses: z
      .strictObject({
        enabled: z.boolean().default(true).describe('Whether there is this limit.'),
        perSecond: count.default(50).describe('Answers per second to one address, in the long run.'),
        burst: count.default(125).describe('Answers to one address at once.'),
        slip: z
          .int()
          .min(0)
          .max(100)
          .default(1)
          .describe(
            'Every so many-th limited query is answered with TC, the others not at all; 0 answers none.',
          ),
      })
      .prefault({})
      .refine(({ perSecond, burst }) => burst >= perSecond, {
        path: ['burst'],
        message: 'at least perSecond',
      })
      .describe(
        'Against forged sources, as in Knot DNS: networks have multiples of the limit (/24: 32, /20: 256, /18: 768; ' +
          '/64: 2, /56: 3, /48: 4, /32: 64). TCP and valid cookies are not limited.',
      ),
    perClient: count
      .optional()
      .describe(
        'Answers per second to one address, beyond which it is sent to TCP; by default there is no such limit.',
      ),
    exempt: z
      .array(cidr)
      .max(10_000)
      .default(['127.0.0.0/8', '::1/128'])
      .describe('Networks without any limit.'),
  })
  .describe('Limits on UDP answers.');
