import { createServer } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { listen } from '../../lib/listen.ts';
import { runWeir } from '../testing/run-weir.ts';

const URL_ASKED = 'http://video.example.com/a?v=1';
const asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(request.url ?? '');
  response.end(
    JSON.stringify({
      node: 'zz-1',
      url: URL_ASKED,
      verdict: 'hit',
      domain: 'demo/video',
      rule: { number: 2, bypass: false, says: { browserTtl: 5 } },
      key: { path: '/a', query: '?v=1', mode: 'Keep' },
      variants: [
        {
          chosen: true,
          status: 200,
          size: 4,
          ageSeconds: 3,
          freshSeconds: 57,
          selection: [['x-v', '1']],
          tags: [],
        },
      ],
    }),
  );
});

afterEach(() => void server.close());

test('asks the edge with the request’s fields, and prints what it says', async () => {
  const { port } = await listen(server, { host: '127.0.0.1', port: 0 });
  const { code, stdout } = await runWeir([
    'explain-url',
    URL_ASKED,
    '--admin',
    `127.0.0.1:${port}`,
    '-H',
    'X-V: 1',
  ]);
  expect(code).toBe(0);
  expect(asked).toEqual(['/explain?url=http%3A%2F%2Fvideo.example.com%2Fa%3Fv%3D1&header=X-V%3A+1']);
  expect(stdout).toContain(`${URL_ASKED} on zz-1: hit`);
  expect(stdout).toMatch(/rule +rule 2 \{"browserTtl":5\}/);
  expect(stdout).toMatch(/\* +200 +4 +3s +57s +x-v: 1/);
});

test('an edge that does not answer is named', async () => {
  const { code, stderr } = await runWeir(['explain-url', URL_ASKED, '--admin', '127.0.0.1:1']);
  expect(code).not.toBe(0);
  expect(stderr).toContain('the edge does not answer on 127.0.0.1:1');
});
