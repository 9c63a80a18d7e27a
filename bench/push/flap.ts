/** One edge that comes with an empty disk and goes again, once a second: how many writes it costs the API server. */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { STREAM_PATH } from '../../contract/stream/messages.ts';
import { joinAs, type OperatorPlace } from '../../operator/testing/trust.ts';
import type { Cluster } from '../../test/cluster/cluster.ts';

const QUIET_MS = 5_000;
/** So often in a row: on a busy machine the operator may pause that long in the midst of it. */
const CALM = 3;
/** Revisions of nodes trickle on. */
const QUIET_WRITES = 25;

/** A minute. */
export async function flapWrites(
  cluster: Cluster,
  place: OperatorPlace,
  { node, seconds }: { node: string; seconds: number },
): Promise<number> {
  const dispatcher = await joinAs(place, 'edge', node);
  const before = await writes(cluster);
  for (let second = 0; second < seconds; second++) {
    const line = new AbortController();
    const query = { role: 'edge', node, epoch: 0, seq: 0, seen: 0, contract: '2,1' };
    const opened = await request(`${place.url}${STREAM_PATH}`, { query, dispatcher, signal: line.signal });
    opened.body.on('error', () => {}).resume();
    await sleep(500);
    line.abort();
    await sleep(500);
  }
  return ((await writes(cluster)) - before) * (60 / seconds);
}

/** To objects of ours and Events, as the API server counts them. */
export async function writes(cluster: Cluster): Promise<number> {
  const text = await cluster.kubectl(['get', '--raw', '/metrics']);
  const counted = text
    .split('\n')
    .filter(
      (line) =>
        line.startsWith('apiserver_request_total{') && /verb="(?:POST|PUT|PATCH|APPLY|DELETE)"/.test(line),
    )
    .filter((line) => /resource="(?:cdndomains|edgenodes|purgejobs|controllerrevisions|events)"/.test(line));
  return counted.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Resolves when hardly anything is written any more. */
export async function allToldOf(cluster: Cluster): Promise<void> {
  for (let calm = 0, before = await writes(cluster); calm < CALM; ) {
    await sleep(QUIET_MS);
    const now = await writes(cluster);
    calm = now - before > QUIET_WRITES ? 0 : calm + 1;
    before = now;
  }
}
