/** CAA (RFC 8659): what forbids an order, and what to put where. */
import { describe, expect, test } from 'vitest';
import { type CaaRow, caaObjection } from './dns.ts';

const LE = ['letsencrypt.org'];
const dns = (rows: Record<string, CaaRow[]>) => ({ caa: async (name: string) => rows[name] ?? [] });

describe('CAA', () => {
  test.each<[string, string, Record<string, CaaRow[]>]>([
    ['no record anywhere', 'video.example.com', {}],
    ['the server is named', 'video.example.com', { 'example.com': [{ issue: 'letsencrypt.org' }] }],
    [
      'with parameters',
      'video.example.com',
      { 'video.example.com': [{ issue: 'letsencrypt.org; validationmethods=dns-01' }] },
    ],
    [
      'in capitals, as names in the DNS may be (RFC 4343)',
      'video.example.com',
      { 'example.com': [{ issue: ' LetsEncrypt.org ; x=Y' }] },
    ],
    [
      'the nearest name decides',
      'a.video.example.com',
      { 'video.example.com': [{ issue: 'letsencrypt.org' }], 'example.com': [{ issue: 'other.example' }] },
    ],
    ['records that speak of other things', 'video.example.com', { 'example.com': [{}] }],
    [
      'issuewild is for wildcards alone',
      'video.example.com',
      { 'example.com': [{ issue: 'letsencrypt.org' }, { issuewild: ';' }] },
    ],
    [
      'a wildcard by issue, where there is no issuewild',
      '*.example.com',
      { 'example.com': [{ issue: 'letsencrypt.org' }] },
    ],
  ])('%s: allowed', async (_, hostname, rows) => {
    expect(await caaObjection(hostname, LE, dns(rows))).toBeUndefined();
  });

  test.each<[string, string, Record<string, CaaRow[]>, string]>([
    [
      'another server',
      'video.example.com',
      { 'example.com': [{ issue: 'other.example' }] },
      'example.com. CAA 0 issue "letsencrypt.org"',
    ],
    [
      'nobody',
      'video.example.com',
      { 'video.example.com': [{ issue: ';' }] },
      'video.example.com. CAA 0 issue',
    ],
    [
      'a wildcard',
      '*.example.com',
      { 'example.com': [{ issue: 'letsencrypt.org' }, { issuewild: 'other.example' }] },
      'example.com. CAA 0 issuewild "letsencrypt.org"',
    ],
  ])('%s: forbidden, with the record to add', async (_, hostname, rows, record) => {
    expect(await caaObjection(hostname, LE, dns(rows))).toContain(record);
  });

  test('a server that does not say what it calls itself forbids nothing', async () => {
    expect(await caaObjection('a.example.com', [], dns({ 'example.com': [{ issue: 'x' }] }))).toBeUndefined();
  });
});
