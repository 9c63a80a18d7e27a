/** `trust` in weir.yaml: whose ServiceAccount tokens are taken, and whom the operator no longer lets in. */
import { z } from 'zod';
import { textLike } from '../kinds/scalars.ts';
import { role } from '../stream/messages.ts';

const serviceAccount = textLike(
  /^[a-z0-9]([a-z0-9-]*[a-z0-9])?\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
  'namespace/name of a ServiceAccount',
  317,
);

const denial = z
  .strictObject({
    agent: z
      .strictObject({
        role: role.describe('`edge` or `dns-server`.'),
        node: z.string().min(1).max(253).describe('The EdgeNode’s or dns-server’s name.'),
      })
      .optional()
      .describe('All certificates of this agent, present and future.'),
    serial: textLike(
      /^[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){0,19}$/,
      'the serial number of a certificate in hex, as openssl prints it',
      59,
    )
      .optional()
      .describe('One certificate.'),
  })
  .check(({ value, issues }) => {
    if ((value.agent === undefined) === (value.serial === undefined)) {
      issues.push({ code: 'custom', path: [], message: 'either agent or serial', input: value });
    }
  });

export const trust = z.strictObject({
  serviceAccounts: z
    .strictObject({
      edge: z
        .array(serviceAccount)
        .default(['weir-system/weir-edge'])
        .describe('Of pods that may join as edges.'),
      'dns-server': z
        .array(serviceAccount)
        .default(['weir-system/weir-dns-server'])
        .describe('Of pods that may join as dns-servers.'),
    })
    .prefault({})
    .describe(
      'ServiceAccounts by whose tokens, made for the audience `weir`, pods get their first certificate.',
    ),
  deny: z
    .array(denial)
    .max(10_000)
    .default([])
    .describe('Agents that are let in no more, such as one whose key was stolen; their streams end at once.'),
});

export type TrustConfig = z.output<typeof trust>;
