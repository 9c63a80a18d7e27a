/** What one client, or one object, may take from an edge. */
import { z } from 'zod';
import { byteSizeText, cidr, duration } from '../kinds/scalars.ts';

const count = z.int().min(1).max(1_000_000);

export const limits = z
  .strictObject({
    headerSize: byteSizeText
      .default('32KiB')
      .describe('Bytes of a request’s line and fields together; beyond: 431.'),
    headerCount: count.default(100).describe('Fields of a request; beyond: 431.'),
    uriLength: count.default(8_192).describe('Characters of a request’s target; beyond: 414.'),
    headerTimeout: duration.default('15s').describe('Until a request’s fields have come; beyond: 408.'),
    requestTimeout: duration
      .default('5m')
      .describe(
        'Until a request has come with its body; beyond: 408. It holds also where the body keeps its pace.',
      ),
    idleTimeout: duration.default('65s').describe('A connection without a request is closed after this.'),
    minimumRate: byteSizeText
      .default('1KiB')
      .describe(
        'Per second, over `minimumRateWindow`: a client that takes an answer, or sends a body, more slowly is cut off. ' +
          '0KiB: never.',
      ),
    minimumRateWindow: duration
      .default('60s')
      .describe('What the rate is taken over; the kernel’s buffers make less than half a minute a guess.'),
    connectionsPerClient: count
      .default(1_000)
      .describe(
        'Connections of one address (IPv6: of one /64) to one process; one more hears 429 and is closed.',
      ),
    streamsPerConnection: count
      .default(256)
      .describe(
        'Requests at once on one connection of HTTP/2, those included whose end is just being worked off; one more is ' +
          'refused, and may be sent again.',
      ),
    exempt: z
      .array(cidr)
      .max(10_000)
      .default(['127.0.0.0/8', '::1/128'])
      .describe('Networks that `connectionsPerClient` does not hold for: proxies in front of the edge, say.'),
    waitersPerObject: count
      .default(10_000)
      .describe('Requests that wait for the head of one fetch; one more hears 503 with Retry-After.'),
  })
  .describe('Limits of each edge towards clients; `weir_edge_limited_total` counts what ran into them.');

export type Limits = z.output<typeof limits>;
