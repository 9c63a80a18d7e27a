import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../lib/testing/eventually.ts';
import { type ScriptOrigin, startScriptOrigin } from './testing/script-origin.ts';
import { domainOf, fetchFrom, startTestEdge, type TestEdge } from './testing/test-edge.ts';

let origin: ScriptOrigin;
let edge: TestEdge;

beforeEach(async () => {
  origin = await startScriptOrigin((_request, response) => response.end('x'));
  edge = await startTestEdge({ origin: origin.url });
});

afterEach(async () => {
  await edge.stop();
  await edge.remove();
  await origin.stop();
});

async function series(domain: string): Promise<string[]> {
  const { text } = await fetchFrom(edge.edge.admin.port, '/metrics', { host: 'admin' });
  return text.split('\n').filter((line) => line.includes(`domain="${domain}"`));
}

test('the series of a domain go when it is served no more, and no others', async () => {
  const other = domainOf(origin.url, { uid: 'uid-other', name: 'other', hostnames: ['other.example.com'] });
  await edge.publish([domainOf(origin.url), other]);
  await edge.get('/a');
  await edge.get('/a', { host: 'other.example.com' });
  const names = (await series('demo/other')).map((line) => line.replace(/[{ ].*/, ''));
  expect(new Set(names)).toEqual(
    new Set(
      ['requests_total', 'client_bytes_total', 'origin_bytes_total', 'origin_requests_total']
        .concat(
          ['answer_seconds', 'origin_head_seconds'].flatMap((name) => [
            `${name}_bucket`,
            `${name}_sum`,
            `${name}_count`,
          ]),
        )
        .map((name) => `weir_edge_${name}`),
    ),
  );
  await edge.publish([domainOf(origin.url)]);
  // It lingers, and counts as long.
  expect(await series('demo/other')).not.toEqual([]);
  edge.clock.advance(601_000);
  await eventually(async () => expect(await series('demo/other')).toEqual([]));
  expect(await series('demo/video')).not.toEqual([]);
});

test('beyond so many domains histograms have one series for the rest', async () => {
  const named = (at: number) =>
    domainOf(origin.url, { uid: `uid-${at}`, name: `d-${1_000 + at}`, hostnames: [`d${at}.example.com`] });
  await edge.publish(Array.from({ length: 502 }, (_, at) => named(at)));
  for (const at of [0, 500, 501]) await edge.get('/a', { host: `d${at}.example.com` });
  expect(await edge.metric('answer_seconds_count', '{domain="demo/d-1000",result="miss"}')).toBe(1);
  expect(await edge.metric('answer_seconds_count', '{domain="other",result="miss"}')).toBe(2);
  expect(await edge.metric('requests_total', '{domain="demo/d-1501",result="miss"}')).toBe(1);
});
